using System.Globalization;
using MlOps.Contracts.Registry.V1;

namespace MlOps.Training.Trials;

/// <summary>How a trial ended: with a model, or with a failure.</summary>
internal sealed record TrialOutcome
{
    internal const string ValidationRmseMetric = "validation_rmse_best";
    internal const string BestRoundMetric = "best_round";
    internal const string DurationMetric = "duration_seconds";
    internal const string ModelDigestTag = "model_digest";

    internal double? ValidationRmse { get; init; }

    internal int BestRound { get; init; }

    internal string? ModelDigest { get; init; }

    internal double DurationSeconds { get; init; }

    internal string? Failure { get; init; }

    internal bool Succeeded => Failure is null;

    internal static TrialOutcome Failed(string failure, double seconds) => new() { Failure = failure, DurationSeconds = seconds };

    /// <summary>What the registry knows of a trial whose worker was lost after it had ended the run there.</summary>
    internal static TrialOutcome Of(Run run) => run.Status == Run.Types.Status.Finished
        ? new TrialOutcome
        {
            ValidationRmse = run.Metrics[ValidationRmseMetric],
            BestRound = (int)run.Metrics[BestRoundMetric],
            DurationSeconds = run.Metrics[DurationMetric],
            ModelDigest = run.Tags[ModelDigestTag],
        }
        : Failed(run.Failure.Length > 0 ? run.Failure : $"The run ended as {run.Status}.", 0);

    /// <summary>What <see cref="Of"/> reads.</summary>
    internal LogBatchRequest ToBatch(string runId) => new()
    {
        RunId = runId,
        Metrics =
        {
            new Metric { Key = ValidationRmseMetric, Value = ValidationRmse ?? double.NaN },
            new Metric { Key = BestRoundMetric, Value = BestRound },
            new Metric { Key = DurationMetric, Value = DurationSeconds },
        },
        Tags = { [ModelDigestTag] = ModelDigest ?? "" },
    };

    public override string ToString() => Failure ?? string.Create(CultureInfo.InvariantCulture, $"RMSE {ValidationRmse:0.####} after {BestRound} rounds");
}
