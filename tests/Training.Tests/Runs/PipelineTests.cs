using Grpc.Core;
using MlOps.Contracts.Registry.V1;
using MlOps.Contracts.Training.V1;
using MlOps.Numerics.Profiles;
using MlOps.TestServers;

namespace MlOps.Training.Tests.Runs;

[Collection(nameof(Platform))]
public sealed class PipelineTests(Platform platform)
{
    [ServerFact]
    public async Task A_pipeline_becomes_a_registered_model_that_equals_its_trainer()
    {
        var pipeline = platform.Pipeline();
        pipeline.Parameters["num_boost_round"] = "60";
        pipeline.Search = new()
        {
            Trials = 3,
            Dimensions =
            {
                new Dimension { Parameter = "max_depth", Values = { "3", "5" } },
                new Dimension { Parameter = "eta", Values = { "0.1", "0.3" } },
            },
        };

        var submitted = await platform.SubmitAsync(pipeline);
        var run = await platform.EndOfAsync(submitted.TrainingRunId);

        Assert.True(run.State == TrainingRun.Types.State.Completed, $"{run}\n{platform.TrainingProcess.Log}");
        Assert.Equal(1, run.ModelVersion);
        Assert.Equal(0, run.ExportMaxDifference);
        Assert.Equal(3000, run.TrainingRows + run.ValidationRows + run.TestRows);
        Assert.Equal(3, run.Trials.Count);
        Assert.All(run.Trials, trial => Assert.Equal((Trial.Types.State.Completed, 1), (trial.State, trial.Attempts)));
        Assert.Equal(run.Trials.MinBy(trial => trial.ValidationRmse)!.Number, run.BestTrial);
        Assert.Equal(["mean", "linear"], run.Baselines.Select(score => score.Name));
        Assert.True(run.Score.Rmse < run.Baselines[1].Rmse && run.Baselines[1].Rmse < run.Baselines[0].Rmse, $"{run.Score} {run.Baselines}");
        await AssertRegisteredAsync(pipeline, run);
        await AssertRecordedAsync(pipeline, run);
    }

    [ServerFact]
    public async Task The_linear_trainer_goes_the_same_way()
    {
        var pipeline = platform.Pipeline("linear");
        var run = await platform.EndOfAsync((await platform.SubmitAsync(pipeline)).TrainingRunId);

        Assert.True(run.State == TrainingRun.Types.State.Completed, $"{run}");
        Assert.InRange(run.ExportMaxDifference, 0, 1e-4);
        Assert.Equal(run.Baselines[1].Rmse, run.Score.Rmse);
    }

    [ServerFact]
    public async Task The_same_request_is_submitted_once_however_often_and_at_once()
    {
        var pipeline = platform.Pipeline("linear");
        var request = Guid.NewGuid().ToString();

        var made = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => platform.SubmitAsync(pipeline, request)));

        Assert.Single(made.Select(run => run.TrainingRunId).Distinct());
        await platform.EndOfAsync(made[0].TrainingRunId);
        Assert.Equal(made[0].TrainingRunId, (await platform.SubmitAsync(pipeline, request)).TrainingRunId);
        Assert.Single((await platform.Training.ListTrainingRunsAsync(new ListTrainingRunsRequest { Model = pipeline.Model })).Runs);
    }

    [ServerFact]
    public async Task Bad_pipelines_are_refused_with_everything_that_is_wrong()
    {
        var unknown = platform.Pipeline();
        unknown.DatasetDigest = "sha256:" + new string('0', 64);
        await AssertRefusedAsync(unknown, StatusCode.NotFound, "DATASET_UNKNOWN", unknown.DatasetDigest);

        var wrong = platform.Pipeline();
        wrong.TimeColumn = "hour";
        wrong.Inputs[0].Name = "distanze";
        wrong.Parameters["eta"] = "fast";
        await AssertRefusedAsync(
            wrong, StatusCode.InvalidArgument, "PIPELINE_INVALID",
            "'hour' must be Time, it is Double", "'distanze' is no column of the dataset", "pipeline.parameters[eta]: must be a number");

        var call = await Assert.ThrowsAsync<RpcException>(() => platform.GetAsync("no-such-run"));
        Assert.Equal((StatusCode.NotFound, "TRAINING_RUN_UNKNOWN"), (call.StatusCode, call.Trailers.GetValue("mlops-code")));
    }

    [ServerFact]
    public async Task Missing_values_where_none_may_be_fail_the_run_with_the_column_and_the_count()
    {
        var table = SyntheticRows.Table(200);
        for (var row = 0; row < 7; row++) table.Columns.Single(c => c.Name == "distance").Doubles.Values[row] = double.NaN;
        var pipeline = platform.Pipeline();
        pipeline.DatasetDigest = (await platform.CreateSnapshotAsync("with holes", table)).Digest;

        var run = await platform.EndOfAsync((await platform.SubmitAsync(pipeline)).TrainingRunId);

        Assert.Equal(TrainingRun.Types.State.Failed, run.State);
        Assert.Contains("column 'distance' has no value in 7 rows and is not nullable", run.Failure);
        var runs = await platform.RunsAsync(pipeline.Model);
        Assert.Equal(2, runs.Count);
        Assert.All(runs, recorded => Assert.Equal(Run.Types.Status.Failed, recorded.Status));
    }

    [ServerFact]
    public async Task A_cancelled_run_stops_between_rounds_and_takes_no_more_trials()
    {
        var pipeline = platform.Pipeline();
        pipeline.Parameters["rounds"] = "10000";
        pipeline.Parameters["early_stopping_rounds"] = "0";
        pipeline.Search = new() { Trials = 2, Dimensions = { new Dimension { Parameter = "max_depth", Values = { "9", "10" } } } };
        var id = (await platform.SubmitAsync(pipeline)).TrainingRunId;
        await Platform.WaitAsync(
            async () => (await platform.GetAsync(id)).Trials.Any(trial => trial.State == Trial.Types.State.Running), "a trial runs");

        await platform.Training.CancelTrainingRunAsync(new CancelTrainingRunRequest { TrainingRunId = id });
        var run = await platform.EndOfAsync(id);

        Assert.Equal(TrainingRun.Types.State.Cancelled, run.State);
        Assert.All(run.Trials, trial => Assert.Equal("The training run was cancelled.", trial.Failure));
        Assert.Equal(1, run.Trials.Sum(trial => trial.Attempts));
        await Platform.WaitAsync(
            async () => await platform.RunsAsync(pipeline.Model) is { Count: 2 } runs && runs.All(r => r.Status == Run.Types.Status.Killed),
            "the trial and its parent are killed in the registry");
        Assert.DoesNotContain(
            (await platform.Registry.ListModelsAsync(new ListModelsRequest())).Models, model => model.Name == pipeline.Model);
    }

    [ServerFact]
    public async Task Trainers_are_listed_with_what_is_absent_and_why()
    {
        var trainers = (await platform.Training.ListTrainersAsync(new ListTrainersRequest())).Trainers;
        Assert.Equal(
            [("xgboost", true), ("linear", true), ("mlnet", false)], trainers.Select(trainer => (trainer.Name, trainer.Available)));
        Assert.Contains("max_depth: an integer from 1 to 20; default 6", trainers[0].Parameters);
        Assert.Contains("not part of this build", trainers[2].Note);
    }

    private async Task AssertRefusedAsync(Pipeline pipeline, StatusCode status, string code, params string[] words)
    {
        var refused = await Assert.ThrowsAsync<RpcException>(() => platform.SubmitAsync(pipeline));
        Assert.Equal((status, code), (refused.StatusCode, refused.Trailers.GetValue("mlops-code")));
        Assert.All(words, word => Assert.Contains(word, refused.Status.Detail));
    }

    private async Task AssertRegisteredAsync(Pipeline pipeline, TrainingRun run)
    {
        var version = await platform.Registry.GetModelVersionAsync(new GetModelVersionRequest { Model = pipeline.Model, Version = 1 });
        Assert.Equal(pipeline.DatasetDigest, version.DatasetDigest);
        Assert.Equal(
            [("distance", "FP32", false), ("hour", "FP32", true), ("stops", "FP32", false), ("airline", "BYTES", true), ("fee", "FP32", true)],
            version.Signature.Inputs.Select(input => (input.Name, input.Datatype, input.Nullable)));
        Assert.Equal("prediction", Assert.Single(version.Signature.Outputs).Name);
        Assert.Equal(run.Score.Rmse, version.Metrics["test_rmse"]);
        Assert.Equal("xgboost", version.Environment["trainer"]);

        using var download = platform.Registry.DownloadArtifact(new DownloadArtifactRequest { Digest = version.ProfileDigest });
        using var content = new MemoryStream();
        await foreach (var part in download.ResponseStream.ReadAllAsync()) content.Write(part.Chunk.Span);
        var profile = ReferenceProfile.FromJson(content.ToArray());
        Assert.Equal(5, profile.Features.Count);
        Assert.Equal(run.TrainingRows, profile.Label!.Total);
        Assert.Equal(run.TrainingRows, profile.Predictions!.Total);
    }

    private async Task AssertRecordedAsync(Pipeline pipeline, TrainingRun run)
    {
        var runs = await platform.RunsAsync(pipeline.Model);
        Assert.Equal(3 + 2 + 1, runs.Count);
        Assert.All(runs, recorded => Assert.Equal(Run.Types.Status.Finished, recorded.Status));
        Assert.All(runs, recorded => Assert.Equal(pipeline.DatasetDigest, recorded.DatasetDigest));
        foreach (var trial in run.Trials)
        {
            var recorded = runs.Single(candidate => candidate.RunId == trial.RunId);
            Assert.Equal(trial.Parameters["max_depth"], recorded.Parameters["max_depth"]);
            Assert.Equal("60", recorded.Parameters["rounds"]);
            if (trial.Number == run.BestTrial)
                Assert.Equal(recorded.Parameters, runs.Single(parent => parent.RunId == recorded.ParentRunId).Parameters);
            Assert.Equal(trial.ValidationRmse, recorded.Metrics["validation_rmse_best"]);
            Assert.True(recorded.Metrics.ContainsKey("train_rmse"));
            Assert.Equal("42", recorded.Tags["seed"]);
            Assert.Equal("test", recorded.Tags["code_version"]);
        }
    }
}
