using System.Text.Json;
using System.Text.Json.Serialization;
using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Registry.V1;
using MlOps.Contracts.Training.V1;
using MlOps.Flights.Steps;

namespace MlOps.Flights.Reporting;

/// <summary>What the demo found; every figure was measured in this run.</summary>
internal sealed record Report(
    DateTimeOffset FinishedAt,
    Report.DatasetFigures Dataset,
    IReadOnlyList<Report.VersionFigures> Versions,
    IReadOnlyList<SplitTraffic.Phase> Split,
    IReadOnlyList<Report.DriftFigures> Drift,
    IReadOnlyList<Report.PerformanceFigures> March,
    IReadOnlyList<Report.PerformanceFigures> MarchByWeek,
    Report.LogFigures PredictionLog,
    Report.Histogram Delays,
    IReadOnlyList<PredictFourWays.Example> Examples,
    IReadOnlyDictionary<string, double> SecondsByStep,
    double TotalSeconds)
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DictionaryKeyPolicy = null,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        WriteIndented = true,
    };

    public sealed record DatasetFigures(int Flights, long TrainingSetRows, string Digest, long FeatureRowsIngested, long FeatureRowsAlreadyThere);

    public sealed record VersionFigures(
        int Version, string RunId, string Artifact, IReadOnlyList<ScoreFigures> Test, IReadOnlyList<TrialFigures> Trials,
        double ExportMaxDifference);

    public sealed record ScoreFigures(string Name, double Rmse, double Mae, double RSquared);

    public sealed record TrialFigures(int Number, IReadOnlyDictionary<string, string> Parameters, double ValidationRmse, int BestRound, double Seconds, int Attempts);

    public sealed record DriftFigures(string Feature, string Kind, double Psi, double? KsStatistic, double? KsPValue, bool IsDrifted);

    public sealed record PerformanceFigures(string Version, DateTimeOffset? From, long Labelled, double Rmse, double Mae, double Bias);

    public sealed record LogFigures(long Answered, long Logged);

    /// <summary>Shares of flights per bin of delay; bin i is [Edges[i], Edges[i + 1]) minutes, the last one open.</summary>
    public sealed record Histogram(IReadOnlyList<double> Edges, IReadOnlyList<double> JanuaryFebruary, IReadOnlyList<double> March);

    public static Report Of(
        IReadOnlyList<Flight> flights, DefineFeatures.Outcome features, DatasetSnapshot snapshot, TrainingRun first,
        TrainingRun second, ModelVersion champion, PredictFourWays.Outcome ways, SplitTraffic.Outcome split,
        ReplayMarch.Outcome replay, Progress progress) => new(
        TimeProvider.System.GetUtcNow(),
        new DatasetFigures(flights.Count, snapshot.RowCount, snapshot.Digest, features.Ingested, features.Duplicates),
        [Of(first, champion.ArtifactDigest), Of(second, "")],
        split.Phases,
        [.. replay.Drift.Features.Select(f => new DriftFigures(
            f.Name, f.Kind, f.Psi, Finite(f.KsStatistic), Finite(f.KsPValue), f.IsDrifted))],
        [.. replay.Overall.Select(p => Of(p, hasBucket: false))],
        [.. replay.Weekly.Select(p => Of(p, hasBucket: true))],
        new LogFigures(replay.Answered, replay.Logged),
        HistogramOf(flights),
        ways.Examples,
        progress.SecondsByStep,
        progress.TotalSeconds);

    public async Task SaveAsync(string folder, CancellationToken ct)
    {
        Directory.CreateDirectory(folder);
        await File.WriteAllTextAsync(Path.Combine(folder, "report.json"), JsonSerializer.Serialize(this, Json), ct);
        await File.WriteAllTextAsync(Path.Combine(folder, "report.html"), ReportPage.Render(this), ct);
    }

    public void Print(string folder)
    {
        Console.WriteLine($"\nDone in {TotalSeconds:0} s");
        foreach (var version in Versions)
        {
            var mean = version.Test.First(s => s.Name == "mean");
            var own = version.Test[^1];
            Console.WriteLine($"  version {version.Version}: test RMSE {own.Rmse:0.000} min (predicting the mean: {mean.Rmse:0.000})");
        }

        foreach (var p in March) Console.WriteLine($"  version {p.Version} in March: RMSE {p.Rmse:0.000} min over {p.Labelled:N0} flights");
        Console.WriteLine($"  drifted columns: {Drift.Count(d => d.IsDrifted)} of {Drift.Count}; prediction log: {PredictionLog.Logged:N0} of {PredictionLog.Answered:N0}, each once");
        Console.WriteLine($"  report: {Path.Combine(folder, "report.html")} and report.json");
    }

    private static VersionFigures Of(TrainingRun run, string artifact) => new(
        run.ModelVersion,
        run.Trials.First(t => t.Number == run.BestTrial).RunId,
        artifact,
        [.. run.Baselines.Append(run.Score).Select(s => new ScoreFigures(s.Name, s.Rmse, s.Mae, s.RSquared))],
        [.. run.Trials.Select(t => new TrialFigures(
            t.Number, new SortedDictionary<string, string>(t.Parameters), t.ValidationRmse, t.BestRound, t.DurationSeconds, t.Attempts))],
        run.ExportMaxDifference);

    private static PerformanceFigures Of(Contracts.Monitoring.V1.Performance p, bool hasBucket) => new(
        p.Version, hasBucket ? Columns.Time(p.BucketStartMicros) : null, p.Labelled, p.Rmse, p.Mae, p.Bias);

    private static double? Finite(double value) => double.IsFinite(value) ? value : null;

    private static Histogram HistogramOf(IReadOnlyList<Flight> flights)
    {
        double[] edges = [-60, -30, -20, -10, 0, 10, 20, 30, 45, 60, 90, 120, 180];
        return new Histogram(edges, Shares(f => f.DepartedAt.Month < 3), Shares(f => f.DepartedAt.Month == 3));

        double[] Shares(Func<Flight, bool> belongs)
        {
            var counts = new double[edges.Length];
            foreach (var flight in flights.Where(belongs))
            {
                counts[Math.Max(0, Array.FindLastIndex(edges, edge => flight.Delay >= edge))]++;
            }

            var sum = counts.Sum();
            return [.. counts.Select(c => c / sum)];
        }
    }
}
