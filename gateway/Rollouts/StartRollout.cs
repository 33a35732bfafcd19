using MlOps.Gateway.Splits;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Gateway.Rollouts;

/// <summary>Declares a rollout. It begins at once, or when those of the model declared before it are over.</summary>
internal sealed partial class StartRollout(
    NpgsqlDataSource source, PolicyBook book, ModelAliases aliases, TimeProvider time,
    ILogger<StartRollout> logger)
{
    private const int MostWaiting = 20;

    /// <exception cref="InvalidRequestException">ROLLOUT_INVALID, with every broken rule.</exception>
    /// <exception cref="ConflictException">
    /// TRAFFIC_POLICY_FILE_OWNED; MODEL_IS_SPLIT: another experiment has the model's traffic; ROLLOUT_POINTLESS: the version stands for
    /// the model already, or the model has no champion; ROLLOUT_DECLARED: the version is on its way; ROLLOUTS_WAITING: too many are.
    /// </exception>
    /// <exception cref="Grpc.Core.RpcException">NotFound: MODEL_UNKNOWN, VERSION_UNKNOWN.</exception>
    public async Task<Rollout> RunAsync(
        string model, int version, RolloutPlan wanted, string origin, string actor, string reason, CancellationToken ct,
        Func<NpgsqlTransaction, Task<bool>>? enter = null)
    {
        var plan = wanted.WithDefaults();
        var violations = new Violations();
        violations.AddIf(model.Length == 0, "model", "must be given");
        violations.AddIf(version < 1, "version", "must be a version number from 1");
        violations.CheckPlan(plan);
        violations.CheckReason(actor, reason);
        violations.ThrowIfAny("ROLLOUT_INVALID");
        book.ThrowIfFileOwned(model);
        if (book.Current.Find(model)?.Policy is { Arms.Count: > 1, Rollout: null })
        {
            throw new ConflictException("MODEL_IS_SPLIT", $"The traffic policy of {model} has more than one arm; its experiment must end first.");
        }

        await aliases.RequireAsync(model, version, ct);
        var champion = await aliases.FindAsync(model, ModelAliases.Champion, ct)
            ?? throw new ConflictException("ROLLOUT_POINTLESS", $"The model {model} has no alias champion, so there is nothing to compare with.");
        if (champion == version) throw new ConflictException("ROLLOUT_POINTLESS", $"Version {version} of {model} is its champion already.");

        var now = time.GetUtcNow();
        var rollout = new Rollout(
            Guid.CreateVersion7(now), model, version, 0, RolloutPhase.Initialized, false, plan,
            new RolloutState { Since = now, Message = "declared" }, origin, actor, reason, 1, now, now, null);
        await source.InTransactionAsync(
            async transaction =>
            {
                if (enter is null || await enter(transaction)) await InsertAsync(transaction, rollout, actor, ct);
            },
            ct);
        LogDeclared(model, version, actor);
        return rollout;
    }

    private static async Task InsertAsync(NpgsqlTransaction transaction, Rollout rollout, string actor, CancellationToken ct)
    {
        await transaction.ExecuteAsync("select pg_advisory_xact_lock(hashtextextended($1, 20))", [rollout.Model], ct);
        var open = await transaction.QueryAsync(
            $"select version from rollout where model = $1 and {RolloutRows.NotOver}", [rollout.Model], r => r.GetInt32(0), ct);
        if (open.Contains(rollout.Version))
        {
            throw new ConflictException("ROLLOUT_DECLARED", $"Version {rollout.Version} of {rollout.Model} is being rolled out, or waits for it.");
        }

        if (open.Count > MostWaiting)
        {
            throw new ConflictException("ROLLOUTS_WAITING", $"{open.Count} rollouts of {rollout.Model} are not over; no more than {MostWaiting} may wait.");
        }

        await RolloutRows.InsertAsync(transaction, rollout, ct);
        await RolloutRows.AddEntryAsync(transaction, rollout, actor, ct);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Rollout of {Model} {Version} declared by {Actor}")]
    private partial void LogDeclared(string model, int version, string actor);
}
