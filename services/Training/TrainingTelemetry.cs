using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace MlOps.Training;

/// <summary>Spans and instruments of this service.</summary>
internal sealed class TrainingTelemetry : IDisposable
{
    internal const string Name = "MlOps.Training";

    private readonly Meter _meter = new(Name);

    public TrainingTelemetry()
    {
        TrialDuration = _meter.CreateHistogram<double>("mlops.training.trial.duration", "s", "Time a trial took, fit and evaluation.");
        Trials = _meter.CreateCounter<long>("mlops.training.trials", "{trial}", "Trials that ended, by outcome.");
        Runs = _meter.CreateCounter<long>("mlops.training.runs", "{run}", "Training runs that ended, by outcome.");
    }

    internal static ActivitySource Activities { get; } = new(Name);

    internal Histogram<double> TrialDuration { get; }

    internal Counter<long> Trials { get; }

    internal Counter<long> Runs { get; }

    public void Dispose() => _meter.Dispose();
}
