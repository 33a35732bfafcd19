using System.Globalization;
using MlOps.Contracts.Registry.V1;
using MlOps.Contracts.Training.V1;
using MlOps.Training.Evaluation;
using MlOps.Training.Trainers;

namespace MlOps.Training.Runs;

/// <summary>Brings an evaluated model into the registry: artifacts, baselines, the run's figures and the version. Repeating it changes nothing.</summary>
internal sealed class PublishModel(RunRecorder recorder, TrainerCatalogue trainers)
{
    internal async Task<int> HandleAsync(
        Guid trainingRun, Pipeline pipeline, EndedTrial best, EvaluatedModel model, CancellationToken ct)
    {
        var trainer = trainers.Get(pipeline.Trainer);
        var parent = await recorder.EnsureStartedAsync(ParentRun.Request(trainingRun, pipeline, trainer), ct);
        foreach (var baseline in model.Baselines) await RecordBaselineAsync(trainingRun, pipeline, trainer, baseline, ct);

        var graphDigest = await recorder.UploadAsync("model.onnx", model.Graph, ct);
        var profileDigest = await recorder.UploadAsync("profile.json", model.Profile, ct);
        if (parent.Status == Run.Types.Status.Running)
            await recorder.LogAsync(BatchOf(pipeline, trainer, parent.RunId, best, model, graphDigest, profileDigest), ct);

        var version = await recorder.RegisterAsync(
            RequestOf(pipeline, trainer, parent.RunId, model, graphDigest, profileDigest), ct);
        await recorder.FinishAsync(parent.RunId, Run.Types.Status.Finished, "", ct);
        return version.Version;
    }

    private async Task RecordBaselineAsync(
        Guid trainingRun, Pipeline pipeline, ITrainer trainer, Score baseline, CancellationToken ct)
    {
        var request = new CreateRunRequest
        {
            RunId = RegistryRunIds.ForBaseline(trainingRun, baseline.Name),
            Experiment = pipeline.Experiment(),
            Name = $"baseline {baseline.Name}",
            ParentRunId = RegistryRunIds.ForTrainingRun(trainingRun),
            DatasetDigest = pipeline.DatasetDigest,
        };
        foreach (var (name, value) in RunEnvironment.Of(pipeline, trainer)) request.Tags[name] = value;
        request.Tags["trainer"] = baseline.Name;
        request.Tags.Remove("trainer_version");
        var run = await recorder.StartAsync(request, ct);
        if (run.Status != Run.Types.Status.Running) return;
        await recorder.LogAsync(run.RunId, MetricsOf(baseline), ct);
        await recorder.FinishAsync(run.RunId, Run.Types.Status.Finished, "", ct);
    }

    private static RegisterModelVersionRequest RequestOf(
        Pipeline pipeline, ITrainer trainer, string runId, EvaluatedModel model, string graphDigest, string profileDigest)
    {
        var request = new RegisterModelVersionRequest
        {
            Model = pipeline.Model,
            RunId = runId,
            ArtifactDigest = graphDigest,
            ProfileDigest = profileDigest,
            Signature = ModelSignature.Of(pipeline),
            DatasetDigest = pipeline.DatasetDigest,
            FeatureService = pipeline.FeatureService,
        };
        foreach (var (name, value) in RunEnvironment.Of(pipeline, trainer)) request.Environment[name] = value;
        foreach (var (name, value) in model.Score.ToMetrics()) request.Metrics[name] = value;
        return request;
    }

    private static LogBatchRequest BatchOf(
        Pipeline pipeline, ITrainer trainer, string runId, EndedTrial best, EvaluatedModel model,
        string graphDigest, string profileDigest)
    {
        var batch = new LogBatchRequest
        {
            RunId = runId,
            Metrics =
            {
                MetricsOf(model.Score),
                new Metric { Key = "export_max_difference", Value = model.ExportMaxDifference },
                model.Baselines.Select(score => new Metric { Key = $"baseline_{score.Name}_test_rmse", Value = score.Rmse }),
            },
            Tags =
            {
                ["best_trial"] = best.Number.ToString(CultureInfo.InvariantCulture),
                ["artifact_digest"] = graphDigest,
                ["profile_digest"] = profileDigest,
            },
        };
        foreach (var (name, value) in TrainerSettings.Of(trainer, best.Parameters, pipeline.Seed).Values) batch.Parameters[name] = value;
        return batch;
    }

    private static List<Metric> MetricsOf(Score score) =>
        [.. score.ToMetrics().Select(metric => new Metric { Key = metric.Key, Value = metric.Value })];
}
