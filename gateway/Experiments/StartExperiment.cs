using Microsoft.Extensions.Options;
using MlOps.Gateway.Splits;
using MlOps.ServiceDefaults;

namespace MlOps.Gateway.Experiments;

/// <summary>The split begins: the experiment's traffic policy is in force on this replica when it returns.</summary>
internal sealed partial class StartExperiment(
    ListExperiments experiments, ExperimentChanges changes, PutTrafficPolicy put, PolicyBook book, IOptions<ExperimentOptions> options,
    ILogger<StartExperiment> logger)
{
    /// <summary>Expected is the revision the caller saw, 0 for whatever it is.</summary>
    /// <exception cref="NotFoundException">EXPERIMENT_NOT_FOUND.</exception>
    /// <exception cref="ConflictException">
    /// EXPERIMENT_BEGUN; EXPERIMENT_CHANGED; MODEL_IS_SPLIT: the model has a split already, or another experiment of it runs;
    /// NOTHING_TO_ADOPT; TRAFFIC_POLICY_FILE_OWNED; LAYER_RANGE_TAKEN.
    /// </exception>
    public async Task<Experiment> RunAsync(string name, long expected, string actor, string reason, CancellationToken ct)
    {
        var violations = new Violations();
        violations.CheckReason(actor, reason);
        violations.ThrowIfAny("EXPERIMENT_INVALID");
        var model = (await experiments.GetAsync(name, ct)).Model;
        book.ThrowIfFileOwned(model);
        var started = await changes.MakeWithPolicyAsync(
            name, model, expected, actor, reason, (turn, before) => BeginAsync(turn, before, ct), ct);
        LogStarted(name, model, string.Join(", ", started.Plan.Arms.Select(a => $"{a.Name} {a.Version} {a.Weight:R}")));
        return started;
    }

    private async Task<(Experiment, TrafficPolicy?)> BeginAsync(TrafficPolicyChanges.Turn turn, Experiment before, CancellationToken ct)
    {
        if (before.State != ExperimentState.Draft)
            throw new ConflictException("EXPERIMENT_BEGUN", $"The experiment {before.Name} is {before.State}; it begins once.");
        await PolicyGuard.ThrowIfRunningAsync(turn, before.Model, ct);
        var plan = ExperimentSplit.Adopt(before.Name, before.Model, before.Plan, turn.Before);
        double[] weights = [.. plan.Arms.Select(a => a.Weight)];
        var salt = ExperimentSplit.SaltOf(plan, period: 1);
        var policy = await put.StoreAsync(turn, ExperimentSplit.PolicyOf(before.Model, plan, salt, weights), ct);
        // Until then other replicas may still split by the policy from before.
        var settled = turn.At + options.Value.SettleTime;
        var after = before with
        {
            State = ExperimentState.Running,
            Revision = before.Revision + 1,
            Plan = plan,
            UpdatedAt = turn.At,
            StartedAt = turn.At,
            PolicyRevision = turn.Revision,
            PolicyBefore = turn.Before,
            Periods = [new ExperimentPeriod(1, settled, null, salt, weights)],
        };
        await ExperimentRows.WriteAsync(turn.Transaction, after, ct);
        await ExperimentRows.AddPeriodAsync(turn.Transaction, after.Name, after.Periods[0], ct);
        return (after, policy);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Experiment {Name} on {Model} has begun: {Arms}")]
    private partial void LogStarted(string name, string model, string arms);
}
