using MassTransit;
using MlOps.Contracts.Events;
using MlOps.Contracts.Registry.V1;
using MlOps.Contracts.Training.V1;
using MlOps.TestServers;

namespace MlOps.Training.Tests.Runs;

[Collection(nameof(Platform))]
public sealed class CrashTests(Platform platform)
{
    [ServerFact]
    public async Task A_trial_whose_worker_is_killed_is_taken_again_and_nothing_is_lost_or_doubled()
    {
        var pipeline = LongPipeline();
        var id = (await platform.SubmitAsync(pipeline)).TrainingRunId;
        var trial = await WaitForRoundsAsync(id);

        await platform.TrainingProcess.KillAsync();
        await platform.TrainingProcess.StartAgainAsync();
        var run = await platform.EndOfAsync(id);

        Assert.True(run.State == TrainingRun.Types.State.Completed, $"{run}\n{platform.TrainingProcess.Log}");
        Assert.Equal(2, run.Trials.Single(t => t.Number == trial.Number).Attempts);
        Assert.Equal(1, run.Trials.Single(t => t.Number != trial.Number).Attempts);
        var runs = await platform.RunsAsync(pipeline.Model);
        Assert.Equal(2 + 2 + 1, runs.Count);
        Assert.Equal(2, runs.Single(recorded => recorded.RunId == trial.RunId).Attempt);
        Assert.Single((await platform.Registry.ListModelVersionsAsync(new ListModelVersionsRequest { Model = pipeline.Model })).Versions);
    }

    [ServerFact]
    public async Task A_trial_goes_back_to_the_queue_when_its_worker_is_asked_to_stop()
    {
        var pipeline = LongPipeline();
        var id = (await platform.SubmitAsync(pipeline)).TrainingRunId;
        var trial = await WaitForRoundsAsync(id);

        Assert.Equal(0, await platform.TrainingProcess.StopAsync());
        await platform.TrainingProcess.StartAgainAsync();
        var run = await platform.EndOfAsync(id);

        Assert.True(run.State == TrainingRun.Types.State.Completed, $"{run}\n{platform.TrainingProcess.Log}");
        Assert.Equal(2, run.Trials.Single(t => t.Number == trial.Number).Attempts);
    }

    [ServerFact]
    public async Task Events_delivered_again_have_no_further_effect()
    {
        var pipeline = platform.Pipeline("linear");
        var first = await platform.EndOfAsync((await platform.SubmitAsync(pipeline)).TrainingRunId);
        var id = Guid.Parse(first.TrainingRunId);

        for (var times = 0; times < 3; times++)
        {
            await platform.Bus.Publish(new TrialRequested(id, 1));
            await platform.Bus.Publish(new TrialCompleted(id, 1, true));
        }
        await Platform.WaitAsync(
            () => Task.FromResult(platform.TrainingProcess.Log.Split($"Trial 1 of training run {id} has ended before").Length == 4),
            "the three repeated requests were seen");
        // Behind the repeated events in the same queues: once it has ended, they have been taken.
        await platform.EndOfAsync((await platform.SubmitAsync(platform.Pipeline("linear"))).TrainingRunId);

        Assert.Equal(first, await platform.GetAsync(first.TrainingRunId));
        Assert.Single((await platform.Registry.ListModelVersionsAsync(new ListModelVersionsRequest { Model = pipeline.Model })).Versions);
        Assert.All(await platform.RunsAsync(pipeline.Model), run => Assert.Equal(1, run.Attempt));
    }

    [ServerFact]
    public async Task A_registry_that_is_away_for_a_while_costs_nothing_but_time()
    {
        var pipeline = LongPipeline();
        var id = (await platform.SubmitAsync(pipeline)).TrainingRunId;
        await WaitForRoundsAsync(id);

        await platform.RegistryProcess.KillAsync();
        await platform.RegistryProcess.StartAgainAsync();
        var run = await platform.EndOfAsync(id);

        Assert.True(run.State == TrainingRun.Types.State.Completed, $"{run}\n{platform.TrainingProcess.Log}");
        Assert.Equal(5, (await platform.RunsAsync(pipeline.Model)).Count);
    }

    [ServerFact]
    public async Task A_trial_given_up_after_all_retries_ends_and_its_run_with_it()
    {
        var pipeline = LongPipeline();
        pipeline.Parameters["rounds"] = "10000";
        pipeline.Search.Trials = 1;
        var id = (await platform.SubmitAsync(pipeline)).TrainingRunId;
        await WaitForRoundsAsync(id);

        await platform.Bus.Publish<Fault<TrialRequested>>(new
        {
            Message = new TrialRequested(Guid.Parse(id), 1),
        });
        var run = await platform.EndOfAsync(id);

        Assert.Equal(TrainingRun.Types.State.Failed, run.State);
        Assert.StartsWith("No trial succeeded: Given up after all retries", run.Failure, StringComparison.Ordinal);
        await Platform.WaitAsync(
            async () => (await platform.RunsAsync(pipeline.Model)).All(r => r.Status == Run.Types.Status.Failed),
            "the trial and its parent have failed in the registry");
    }

    [ServerFact]
    public async Task A_trial_left_behind_by_a_killed_worker_ends_with_its_cancelled_run()
    {
        var pipeline = LongPipeline();
        pipeline.Search.Trials = 1;
        var id = (await platform.SubmitAsync(pipeline)).TrainingRunId;
        await WaitForRoundsAsync(id);

        await platform.TrainingProcess.KillAsync();
        await platform.CancelInDatabaseAsync(id);
        await platform.TrainingProcess.StartAgainAsync();
        var run = await platform.EndOfAsync(id);

        Assert.Equal(TrainingRun.Types.State.Cancelled, run.State);
        Assert.Equal(Trial.Types.State.Failed, run.Trials[0].State);
        await Platform.WaitAsync(
            async () => (await platform.RunsAsync(pipeline.Model)).All(r => r.Status == Run.Types.Status.Killed),
            "the trial and its parent are killed in the registry");
    }

    private Pipeline LongPipeline()
    {
        var pipeline = platform.Pipeline();
        pipeline.Parameters["rounds"] = "600";
        pipeline.Parameters["early_stopping_rounds"] = "0";
        pipeline.Search = new() { Trials = 2, Dimensions = { new Dimension { Parameter = "max_depth", Values = { "7", "8" } } } };
        return pipeline;
    }

    /// <summary>The trial that is in the middle of its rounds, as the registry sees it.</summary>
    private async Task<Trial> WaitForRoundsAsync(string id)
    {
        Trial? running = null;
        await Platform.WaitAsync(
            async () =>
            {
                running = (await platform.GetAsync(id)).Trials.FirstOrDefault(trial => trial.State == Trial.Types.State.Running);
                return running is not null && (await platform.Registry.ListRunsAsync(new ListRunsRequest
                {
                    ParentRunId = MlOps.Training.Runs.RegistryRunIds.ForTrainingRun(Guid.Parse(id)),
                })).Runs.Any(run => run.RunId == running.RunId && run.Metrics.ContainsKey("train_rmse"));
            },
            "a trial has logged rounds");
        return running!; // the condition above held
    }
}
