using System.Reflection;
using Grpc.Core;
using MlOps.Contracts.Registry.V1;
using MlOps.Contracts.Training.V1;

namespace MlOps.Flights.Steps;

/// <summary>Steps 3, 4 and 6: search, train, export and register one version of the model.</summary>
internal static class TrainModel
{
    public const string Model = "flight-delay";

    private static readonly InputColumn[] Inputs =
    [
        Categorical("origin"), Categorical("destination"),
        Numeric("distance"), Numeric("departure_hour"), Numeric("departure_weekday"),
        Numeric("origin_latitude"), Numeric("origin_longitude"), Numeric("destination_latitude"), Numeric("destination_longitude"),
        // An airport without a known flight in the past 24 hours has no mean delay; before its first one, no record at all.
        Numeric("origin_flights_24h", nullable: true), Numeric("origin_mean_delay_24h", nullable: true),
        Numeric("destination_flights_24h", nullable: true), Numeric("destination_mean_delay_24h", nullable: true),
    ];

    public static IEnumerable<string> InputNames => Inputs.Select(i => i.Name);

    /// <summary>Eight configurations of shallow, slow learners.</summary>
    public static Search FirstSearch => new()
    {
        Trials = 8,
        Dimensions =
        {
            Over("max_depth", "3", "4", "5", "6"), Over("eta", "0.05", "0.1"), Over("min_child_weight", "5", "20"),
            Over("subsample", "0.8", "1.0"),
        },
    };

    /// <summary>Four configurations of deeper, faster learners: the other settings of version 2.</summary>
    public static Search SecondSearch => new()
    {
        Trials = 4,
        Dimensions = { Over("max_depth", "7", "8", "9"), Over("eta", "0.2", "0.3"), Over("min_child_weight", "1", "5") },
    };

    public static async Task<TrainingRun> RunAsync(
        Platform platform, Progress progress, string datasetDigest, Search search, ulong seed, CancellationToken ct)
    {
        var submitted = await platform.Training.SubmitPipelineAsync(
            new SubmitPipelineRequest
            {
                RequestId = Guid.NewGuid().ToString("N"),
                Pipeline = new Pipeline
                {
                    Model = Model,
                    DatasetDigest = datasetDigest,
                    LabelColumn = BuildTrainingSet.LabelColumn,
                    TimeColumn = BuildTrainingSet.TimeColumn,
                    Inputs = { Inputs },
                    Split = new TimeSplit { ValidationFraction = 0.15, TestFraction = 0.15 },
                    Trainer = "xgboost",
                    Parameters = { ["num_boost_round"] = "400", ["early_stopping_rounds"] = "30" },
                    Search = search,
                    Seed = seed,
                    CodeVersion = CodeVersion,
                    FeatureService = DefineFeatures.FeatureService,
                },
            },
            Platform.Within(20, ct));

        var run = await WatchAsync(platform, progress, submitted, ct);
        DemoException.Unless(run.State == TrainingRun.Types.State.Completed, $"training ended as {run.State}: {run.Failure}");
        foreach (var score in run.Baselines.Append(run.Score))
        {
            progress.Line($"test RMSE {score.Rmse:0.000}  MAE {score.Mae:0.000}  R² {score.RSquared,6:0.000}  {score.Name}");
        }

        progress.Line(run.ExportMaxDifference == 0
            ? $"ONNX Runtime equals the trainer to the bit on {run.TestRows:N0} rows"
            : $"ONNX Runtime differs from the trainer by at most {run.ExportMaxDifference:G3} on {run.TestRows:N0} rows");
        return run;
    }

    public static async Task<ModelVersion> PromoteAsync(
        Platform platform, Progress progress, int version, string reason, CancellationToken ct)
    {
        var promoted = await platform.Registry.SetAliasAsync(
            new SetAliasRequest { Model = Model, Alias = "champion", Version = version, Actor = "flights demo", Reason = reason },
            Platform.Within(10, ct));
        progress.Line($"{Model} version {version} is champion ({promoted.ArtifactSizeBytes / 1024.0:N0} KiB of ONNX, " +
            $"{promoted.Signature.Inputs.Count} inputs, profile {promoted.ProfileDigest[..19]}…)");
        return promoted;
    }

    private static async Task<TrainingRun> WatchAsync(
        Platform platform, Progress progress, TrainingRun submitted, CancellationToken ct)
    {
        var reported = new HashSet<int>();
        var run = submitted;
        while (!IsEnded(run))
        {
            try
            {
                using var watch = platform.Training.WatchTrainingRun(
                    new GetTrainingRunRequest { TrainingRunId = submitted.TrainingRunId }, Platform.Within(300, ct));
                await foreach (var seen in watch.ResponseStream.ReadAllAsync(ct))
                {
                    run = seen;
                    foreach (var trial in run.Trials.Where(t => IsEnded(t) && reported.Add(t.Number)))
                    {
                        progress.Line(Describe(trial, reported.Count, run.Trials.Count));
                    }
                }
            }
            catch (RpcException e) when (e.StatusCode is StatusCode.Unavailable or StatusCode.Internal)
            {
                // A service that is being restarted; the run goes on, so the watch does too.
                progress.Line("training is away for a moment; the run goes on when it is back");
                await Task.Delay(TimeSpan.FromSeconds(1), ct);
            }
        }

        return run;
    }

    private static bool IsEnded(TrainingRun run) =>
        run.State is TrainingRun.Types.State.Completed or TrainingRun.Types.State.Failed or TrainingRun.Types.State.Cancelled;

    private static bool IsEnded(Trial trial) => trial.State is Trial.Types.State.Completed or Trial.Types.State.Failed;

    private static string Describe(Trial trial, int ended, int all)
    {
        var settings = string.Join(" ", trial.Parameters.OrderBy(p => p.Key).Select(p => $"{p.Key}={p.Value}"));
        return trial.State == Trial.Types.State.Failed
            ? $"trial {ended}/{all} failed: {trial.Failure}"
            : $"trial {ended}/{all}  validation RMSE {trial.ValidationRmse:0.000} after {trial.BestRound} rounds  {settings}";
    }

    // 0.1.0+5faf2e0…: the build adds the commit it was made from.
    private static string CodeVersion =>
        typeof(TrainModel).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion
        ?? throw new DemoException("the demo was built without a version");

    private static InputColumn Numeric(string name, bool nullable = false) =>
        new() { Name = name, Kind = InputColumn.Types.Kind.Numeric, Nullable = nullable };

    private static InputColumn Categorical(string name) =>
        new() { Name = name, Kind = InputColumn.Types.Kind.Categorical };

    private static Dimension Over(string parameter, params string[] values) =>
        new() { Parameter = parameter, Values = { values } };
}
