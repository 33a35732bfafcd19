using System.Globalization;
using MlOps.Contracts.Events;
using MlOps.Gateway.Splits;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Gateway.Rollouts;

/// <summary>
/// Every change of a rollout: the row, its entry in the history, the policy it sets and the events of both in one transaction,
/// or none of it. A change made from a state that is no longer the present one is none.
/// </summary>
internal sealed partial class RolloutChanges(
    NpgsqlDataSource source, TrafficPolicyChanges policies, PutTrafficPolicy put, PolicyBook book, Outbox outbox, GatewayMetrics metrics,
    TimeProvider time, ILogger<RolloutChanges> logger)
{
    /// <summary>Who changes what the rollout itself decides.</summary>
    public const string Actor = "rollout";

    /// <summary>
    /// Changes the rollout and leaves the policy as it is; false: somebody was quicker. Of a change that is not worth telling
    /// of there is neither entry nor event.
    /// </summary>
    public async Task<bool> MakeAsync(Rollout before, Rollout after, string actor, CancellationToken ct, bool isTold = true)
    {
        var isMade = await source.InTransactionAsync(t => WriteAsync(t, before, after, actor, isTold, time.GetUtcNow(), ct), ct);
        if (isMade && isTold) Note(after);
        return isMade;
    }

    /// <summary>
    /// Changes the rollout and the model's policy, in force on this replica when it returns. Arms are null where the policy
    /// becomes again what it was before the rollout; false: somebody was quicker, or has set a policy of their own.
    /// </summary>
    public async Task<bool> MakeAsync(
        Rollout before, Rollout after, IReadOnlyList<PolicyArm>? arms, string actor, CancellationToken ct)
    {
        var revision = 0L;
        try
        {
            await policies.MakeAsync(
                before.Model, expected: 0, actor, Short(after.State.Message),
                async turn =>
                {
                    var wanted = before.State.Revision == 0 ? FirstOver(turn.Before, after) : after;
                    if (before.State.Revision > 0 && turn.Before?.Rollout != before.Id) throw new OvertakenException();
                    revision = turn.Revision;
                    var policy = await SetPolicyAsync(turn, wanted, arms, ct);
                    var changed = wanted with { State = WithStratum(wanted.State, turn, arms) };
                    if (!await WriteAsync(turn.Transaction, before, changed, actor, isTold: true, turn.At, ct)) throw new OvertakenException();
                    return policy;
                },
                ct);
        }
        catch (OvertakenException)
        {
            return false;
        }

        await book.CatchUpAsync(revision, ct);
        Note(after);
        return true;
    }

    private void Note(Rollout rollout)
    {
        LogAdvanced(rollout.Model, rollout.Version, rollout.Phase, rollout.State.Weight, rollout.State.Message);
        var model = KeyValuePair.Create<string, object?>("model", rollout.Model);
        metrics.RolloutChanges.Add(1, model, new("phase", rollout.Phase));
        metrics.RolloutWeight.Record(rollout.State.Weight, model, new("version", rollout.Version));
    }

    // The policy that comes back in the end. An experiment is not swept aside.
    private static Rollout FirstOver(TrafficPolicy? there, Rollout rollout) => there is null or { Arms.Count: 1, Rollout: null }
        ? rollout with { State = rollout.State with { Before = there } }
        : throw new OvertakenException();

    private async Task<TrafficPolicy?> SetPolicyAsync(
        TrafficPolicyChanges.Turn turn, Rollout rollout, IReadOnlyList<PolicyArm>? arms, CancellationToken ct)
    {
        var before = rollout.State.Before;
        if (arms is null && before is null)
        {
            await turn.Transaction.ExecuteAsync("delete from traffic_policy where model = $1", [rollout.Model], ct);
            return null;
        }

        var subject = before ?? new TrafficPolicy(rollout.Model, [], "", 1, "", 0, default).WithDefaults();
        var policy = arms is null
            ? subject
            // Each rollout draws its own first subjects, and the same ones at every step.
            : subject with
            {
                Arms = arms,
                Salt = $"{rollout.Model}:{rollout.Version}",
                Coverage = rollout.State.Coverage,
                Shadows = ShadowsOf(subject, rollout),
                Rollout = rollout.Id,
            };
        return await put.StoreAsync(turn, policy, ct);
    }

    // Somebody's own shadows stay; of the version on trial the step decides.
    private static PolicyShadow[] ShadowsOf(TrafficPolicy before, Rollout rollout)
    {
        var version = rollout.Version.ToString(CultureInfo.InvariantCulture);
        PolicyShadow[] others = [.. before.Shadows.Where(s => s.Version != version)];
        return rollout.State.ShadowRate > 0
            ? [new PolicyShadow(version, rollout.State.ShadowRate), .. others.Take(TrafficPolicyRules.MaxShadows - 1)]
            : others;
    }

    private static RolloutState WithStratum(RolloutState state, TrafficPolicyChanges.Turn turn, IReadOnlyList<PolicyArm>? arms)
    {
        RolloutStratum[] closed = [.. state.Strata.Select(s => s.Until is null ? s with { Until = turn.At } : s)];
        var isCompared = arms is { Count: > 1 } && state.Weight is > 0 and < 1;
        return state with
        {
            Revision = arms is null ? 0 : turn.Revision,
            Strata = isCompared ? [.. closed, new RolloutStratum(turn.Revision, state.Weight, turn.At, null)] : closed,
        };
    }

    private async Task<bool> WriteAsync(
        NpgsqlTransaction transaction, Rollout before, Rollout after, string actor, bool isTold, DateTimeOffset at, CancellationToken ct)
    {
        var stamp = await transaction.QueryFirstOrDefaultAsync(
            "select stamp from rollout where rollout_id = $1 for update", [before.Id], r => r.GetInt64(0), ct);
        if (stamp != before.Stamp) return false;
        var changed = after with { Stamp = stamp + 1, UpdatedAt = at, EndedAt = after.IsOver ? at : null };
        await RolloutRows.UpdateAsync(transaction, changed, ct);
        if (!isTold) return true;
        await RolloutRows.AddEntryAsync(transaction, changed, actor, ct);
        await outbox.AddAsync(
            transaction,
            new RolloutAdvanced(
                changed.Id, changed.Model, changed.Version, changed.Phase, changed.State.Step, changed.State.Weight, changed.State.Message),
            ct);
        if (before.Phase != after.Phase) await TellEndAsync(transaction, changed, actor, ct);
        return true;
    }

    private Task TellEndAsync(NpgsqlTransaction transaction, Rollout rollout, string actor, CancellationToken ct) => rollout.Phase switch
    {
        RolloutPhase.Succeeded => outbox.AddAsync(
            transaction,
            new RolloutCompleted(rollout.Id, rollout.Model, rollout.Version, rollout.StableVersion, rollout.State.Message), ct),
        RolloutPhase.Terminating => outbox.AddAsync(
            transaction,
            new RolloutRolledBack(rollout.Id, rollout.Model, rollout.Version, rollout.StableVersion, actor, rollout.State.Message), ct),
        _ => Task.CompletedTask,
    };

    /// <summary>As much of a reason as others keep of it.</summary>
    internal static string Short(string text) => text.Length <= 500 ? text : text[..500];

    [LoggerMessage(Level = LogLevel.Information, Message = "Rollout of {Model} {Version}: {Phase} at {Weight}, {Reason}")]
    private partial void LogAdvanced(string model, int version, string phase, double weight, string reason);

    private sealed class OvertakenException : Exception;
}
