using System.Text.Json;
using MlOps.Gateway.Audit;
using MlOps.Gateway.Splits;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Gateway.Experiments;

/// <summary>
/// Every change of an experiment: the row, the traffic policy it sets, the audit and the events in one transaction, or none of it.
/// </summary>
internal sealed class ExperimentChanges(
    NpgsqlDataSource source, TrafficPolicyChanges policies, PolicyBook book, AuditTrail audit, TimeProvider time)
{
    private const string What = "experiment";

    /// <summary>A change that leaves the traffic as it is; null from it: the experiment is gone.</summary>
    /// <exception cref="ConflictException">EXPERIMENT_CHANGED: the revision is another by now.</exception>
    public Task<Experiment?> MakeAsync(
        string name, long expected, string actor, string reason, Func<NpgsqlTransaction, Experiment?, DateTimeOffset, Task<Experiment?>> change,
        CancellationToken ct) =>
        source.InTransactionAsync(
            async transaction =>
            {
                var before = await ExperimentRows.LockAsync(transaction, name, ct);
                ThrowIfChanged(name, expected, before);
                var after = await change(transaction, before, Microseconds(time.GetUtcNow()));
                await AuditAsync(transaction, before, after, actor, reason, ct);
                return after;
            },
            ct);

    /// <summary>A change with one of the traffic policy, in force on this replica when it returns.</summary>
    /// <exception cref="NotFoundException">EXPERIMENT_NOT_FOUND.</exception>
    /// <exception cref="ConflictException">EXPERIMENT_CHANGED, and whatever the policy is refused for.</exception>
    public async Task<Experiment> MakeWithPolicyAsync(
        string name, string model, long expected, string actor, string reason,
        Func<TrafficPolicyChanges.Turn, Experiment, Task<(Experiment After, TrafficPolicy? Policy)>> change, CancellationToken ct)
    {
        var revision = 0L;
        Experiment? changed = null;
        await policies.MakeAsync(
            model, expected: 0, actor, $"experiment {name}: {reason}",
            async turn =>
            {
                var before = await ExperimentRows.LockAsync(turn.Transaction, name, ct) ?? throw ListExperiments.NotFound(name);
                ThrowIfChanged(name, expected, before);
                // The policy was looked up by a model that the experiment no longer has.
                if (before.Model != model) throw Changed(name, before.Revision, expected);
                revision = turn.Revision;
                (changed, var policy) = await change(turn, before);
                await AuditAsync(turn.Transaction, before, changed, actor, reason, ct);
                return policy;
            },
            ct);
        await book.CatchUpAsync(revision, ct);
        return changed ?? throw new InvalidOperationException("A change made is a change answered.");
    }

    /// <summary>PostgreSQL keeps no finer time, and what is answered is what is kept.</summary>
    public static DateTimeOffset Microseconds(DateTimeOffset t) => t.AddTicks(-(t.Ticks % TimeSpan.TicksPerMicrosecond));

    private static void ThrowIfChanged(string name, long expected, Experiment? before)
    {
        if (expected != 0 && expected != before?.Revision) throw Changed(name, before?.Revision ?? 0, expected);
    }

    private static ConflictException Changed(string name, long revision, long expected) => new(
        "EXPERIMENT_CHANGED", revision == 0
            ? $"There is no experiment {name}, so none of revision {expected}."
            : $"The experiment {name} is at revision {revision}, not {expected}; read it again.");

    private Task AuditAsync(
        NpgsqlTransaction transaction, Experiment? before, Experiment? after, string actor, string reason, CancellationToken ct) =>
        audit.AddAsync(
            transaction,
            new AuditedChange(
                What, (after ?? before)?.Model ?? "", (after ?? before)?.Name ?? "", actor, actor.Length > 0 ? $"{actor}: {reason}" : reason,
                Text(before), Text(after)),
            ct);

    private static string? Text(Experiment? experiment) =>
        experiment is null ? null : JsonSerializer.Serialize(experiment with { Periods = [] }, PolicyJson.Options);
}
