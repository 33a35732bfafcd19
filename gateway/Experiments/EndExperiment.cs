using MlOps.Contracts.Events;
using MlOps.Gateway.Experiments.Readouts;
using MlOps.Gateway.Splits;
using MlOps.ServiceDefaults;

namespace MlOps.Gateway.Experiments;

/// <summary>
/// The split ends: stopped, the traffic policy from before is back; decided for an arm, everybody gets its version. In force on this
/// replica when it returns. What the read-out said at that time is kept with it.
/// </summary>
internal sealed partial class EndExperiment(
    ListExperiments experiments, ReadExperiment read, ExperimentChanges changes, PutTrafficPolicy put, Outbox outbox,
    ILogger<EndExperiment> logger)
{
    /// <summary>Who ends what the stop rule ends.</summary>
    public const string Rule = "stop rule";

    /// <summary>Back to the policy from before. Expected is the revision the caller saw, 0 for whatever it is.</summary>
    /// <exception cref="NotFoundException">EXPERIMENT_NOT_FOUND.</exception>
    /// <exception cref="ConflictException">EXPERIMENT_NOT_RUNNING; EXPERIMENT_CHANGED; LAYER_RANGE_TAKEN, of the policy from before.</exception>
    public async Task<Experiment> StopAsync(string name, long expected, string actor, string reason, CancellationToken ct) =>
        await EndAsync(name, expected, actor, reason, ExperimentState.Stopped, "", await ReadAsync(name, ct), ct);

    /// <summary>Everybody gets the arm's version.</summary>
    /// <exception cref="InvalidRequestException">EXPERIMENT_INVALID: there is no such arm.</exception>
    /// <inheritdoc cref="StopAsync"/>
    public async Task<Experiment> DecideAsync(string name, string arm, long expected, string actor, string reason, CancellationToken ct)
    {
        var experiment = await experiments.GetAsync(name, ct);
        var violations = new Violations();
        violations.AddIf(
            experiment.Plan.Arms.All(a => a.Name != arm), "arm",
            $"must be one of the experiment's: {string.Join(", ", experiment.Plan.Arms.Select(a => a.Name))}");
        violations.ThrowIfAny("EXPERIMENT_INVALID");
        return await EndAsync(name, expected, actor, reason, ExperimentState.Decided, arm, await ReadAsync(name, ct), ct);
    }

    /// <summary>The stop rule has found what it was to find: the policy from before is back, and the finding stands.</summary>
    public Task<Experiment> ByRuleAsync(Experiment experiment, ExperimentReadout readout, CancellationToken ct) => EndAsync(
        experiment.Name, experiment.Revision, Rule, readout.Stop.Reason, ExperimentState.Decided, readout.Stop.Arm, readout, ct,
        isByRule: true);

    // An experiment can be ended while Monitoring is away.
    private async Task<ExperimentReadout?> ReadAsync(string name, CancellationToken ct)
    {
        try
        {
            return await read.RunAsync(name, ct);
        }
        catch (Grpc.Core.RpcException e)
        {
            LogUnread(name, e.Status.Detail);
            return null;
        }
    }

    private async Task<Experiment> EndAsync(
        string name, long expected, string actor, string reason, string state, string arm, ExperimentReadout? readout, CancellationToken ct,
        bool isByRule = false)
    {
        var violations = new Violations();
        violations.CheckReason(actor, reason);
        violations.ThrowIfAny("EXPERIMENT_INVALID");
        var model = (await experiments.GetAsync(name, ct)).Model;
        var decision = new ExperimentDecision(arm, actor, reason, readout?.Stop.State ?? "", readout?.Recommendation ?? "");
        var ended = await changes.MakeWithPolicyAsync(
            name, model, expected, actor, reason,
            async (turn, before) =>
            {
                if (before.State != ExperimentState.Running)
                    throw new ConflictException("EXPERIMENT_NOT_RUNNING", $"The experiment {name} is {before.State}; only a running one ends.");
                var after = before with
                {
                    State = state,
                    Revision = before.Revision + 1,
                    UpdatedAt = turn.At,
                    EndedAt = turn.At,
                    Decision = decision,
                };
                await ExperimentRows.WriteAsync(turn.Transaction, after, ct);
                await ExperimentRows.EndPeriodAsync(turn.Transaction, name, turn.At, ct);
                await outbox.AddAsync(turn.Transaction, new ExperimentEnded(name, model, state, arm, decision.StopState, actor, reason), ct);
                return (after, await RestoreAsync(turn, before, isByRule ? "" : arm, ct));
            },
            ct);
        LogEnded(name, state, arm, reason);
        return ended;
    }

    private async Task<TrafficPolicy?> RestoreAsync(TrafficPolicyChanges.Turn turn, Experiment experiment, string arm, CancellationToken ct)
    {
        if (experiment.Plan.Arms.FirstOrDefault(a => a.Name == arm) is { } taken)
        {
            var split = experiment.PolicyBefore ?? ExperimentSplit.PolicyOf(
                experiment.Model, experiment.Plan, experiment.Plan.Salt, [.. experiment.Plan.Arms.Select(a => a.Weight)]);
            return await put.StoreAsync(turn, split with { Arms = [taken with { Weight = 1 }], Coverage = 1, Layer = null }, ct);
        }

        if (experiment.PolicyBefore is { } before) return await put.StoreAsync(turn, before, ct);
        await turn.Transaction.ExecuteAsync("delete from traffic_policy where model = $1", [experiment.Model], ct);
        return null;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Experiment {Name} is {State}, arm '{Arm}': {Reason}")]
    private partial void LogEnded(string name, string state, string arm, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Experiment {Name} ends without a last read-out: {Reason}")]
    private partial void LogUnread(string name, string reason);
}
