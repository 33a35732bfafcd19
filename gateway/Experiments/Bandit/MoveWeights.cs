using Microsoft.Extensions.Options;
using MlOps.Gateway.Experiments.Readouts;
using MlOps.Gateway.Splits;
using MlOps.ServiceDefaults;

namespace MlOps.Gateway.Experiments.Bandit;

/// <summary>
/// Moves the weights of an experiment to where its results point, once in its interval. With them goes the salt: every period assigns
/// its subjects anew, so that the chance of each assignment is the weight that is noted, whatever was seen before.
/// </summary>
internal sealed partial class MoveWeights(
    ExperimentChanges changes, PutTrafficPolicy put, IOptions<ExperimentOptions> options, TimeProvider time, ILogger<MoveWeights> logger)
{
    /// <summary>Who moves them.</summary>
    public const string Actor = "thompson sampling";

    /// <exception cref="ConflictException">EXPERIMENT_CHANGED: somebody was quicker.</exception>
    public async Task RunAsync(Experiment experiment, ExperimentEvidence evidence, CancellationToken ct)
    {
        if (experiment.Plan.Thompson is not { } thompson) return;
        if (time.GetUtcNow() < experiment.Periods[^1].StartsAt + TimeSpan.FromSeconds(thompson.IntervalSeconds)) return;
        var weights = NextWeights.Of(experiment, evidence);
        if (weights.SequenceEqual(experiment.Periods[^1].Weights)) return;
        await changes.MakeWithPolicyAsync(
            experiment.Name, experiment.Model, experiment.Revision, Actor, "weights follow the results",
            (turn, before) => MoveAsync(turn, before, weights, ct), ct);
        LogMoved(experiment.Name, string.Join(", ", experiment.Plan.Arms.Zip(weights, (a, w) => FormattableString.Invariant($"{a.Name} {w:0.####}"))));
    }

    private async Task<(Experiment, TrafficPolicy?)> MoveAsync(
        TrafficPolicyChanges.Turn turn, Experiment before, IReadOnlyList<double> weights, CancellationToken ct)
    {
        if (before.State != ExperimentState.Running)
            throw new ConflictException("EXPERIMENT_NOT_RUNNING", $"The experiment {before.Name} is {before.State}; its weights stay.");
        var number = before.Periods[^1].Number + 1;
        var salt = ExperimentSplit.SaltOf(before.Plan, number);
        var policy = await put.StoreAsync(turn, ExperimentSplit.PolicyOf(before.Model, before.Plan, salt, weights), ct);
        await ExperimentRows.EndPeriodAsync(turn.Transaction, before.Name, turn.At, ct);
        var period = new ExperimentPeriod(number, turn.At + options.Value.SettleTime, null, salt, weights);
        await ExperimentRows.AddPeriodAsync(turn.Transaction, before.Name, period, ct);
        var after = before with
        {
            Revision = before.Revision + 1,
            UpdatedAt = turn.At,
            PolicyRevision = turn.Revision,
            Periods = [.. before.Periods.SkipLast(1), before.Periods[^1] with { EndsAt = turn.At }, period],
        };
        await ExperimentRows.WriteAsync(turn.Transaction, after, ct);
        return (after, policy);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Experiment {Name} goes on with {Weights}")]
    private partial void LogMoved(string name, string weights);
}
