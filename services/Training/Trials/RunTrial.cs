using System.Diagnostics;
using System.Threading.Channels;
using Grpc.Core;
using MlOps.Contracts.Registry.V1;
using MlOps.Numerics.Metrics;
using MlOps.ServiceDefaults;
using MlOps.Training.Datasets;
using MlOps.Training.Runs;
using MlOps.Training.Trainers;
using Npgsql;

namespace MlOps.Training.Trials;

/// <summary>
/// Fits one configuration and records it as one run in the registry, whoever takes the trial and however often.
/// A configuration that cannot be fitted ends the trial, not the training run.
/// </summary>
internal sealed partial class RunTrial(
    TrialState trials,
    TrainerCatalogue trainers,
    PreparedDatasets datasets,
    RunRecorder recorder,
    NpgsqlDataSource source,
    IHostApplicationLifetime lifetime,
    TimeProvider time,
    TrainingTelemetry telemetry,
    ILogger<RunTrial> logger)
{
    private static readonly TimeSpan LogInterval = TimeSpan.FromSeconds(1);

    internal async Task HandleAsync(Guid trainingRun, int number, CancellationToken ct)
    {
        if (lifetime.ApplicationStopping.IsCancellationRequested)
        {
            // Delivered in the moment before the bus stops; taking it would only count an attempt.
            await trials.HandBackAsync(trainingRun, number, ct);
            return;
        }
        if (await trials.TakeAsync(trainingRun, number, ct) is not { } trial)
        {
            LogSkipped(trainingRun, number);
            await EndLeftBehindAsync(trainingRun, number, ct);
            return;
        }
        using var activity = TrainingTelemetry.Activities.StartActivity("trial");
        activity?.SetTag("mlops.training_run", trainingRun).SetTag("mlops.trial", number).SetTag("mlops.attempt", trial.Attempts);
        LogTaken(trainingRun, number, trial.Attempts);

        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(ct, lifetime.ApplicationStopping);
        var cancellation = new TrialCancellation(source, trainingRun, time, leaving.Token);
        await using (cancellation)
        {
            try
            {
                var outcome = await ExecuteAsync(trial, cancellation.Token);
                await EndAsync(trial, outcome, activity, ct);
            }
            catch (OperationCanceledException) when (cancellation.IsRunEnded)
            {
                await recorder.EndIfRunningAsync(trial.RegistryRunId, Run.Types.Status.Killed, CancelTrainingRun.Reason, ct);
                await EndAsync(trial, TrialOutcome.Failed(CancelTrainingRun.Reason, 0), activity, ct);
            }
            catch (Exception) when (lifetime.ApplicationStopping.IsCancellationRequested)
            {
                // An orderly stop does not wait for hours of training: the trial goes back to the queue.
                await trials.HandBackAsync(trainingRun, number, ct);
                LogHandedBack(trainingRun, number);
            }
        }
    }

    /// <summary>A trial whose worker was lost and whose run was cancelled since is nobody's any more: it ends here.</summary>
    private async Task EndLeftBehindAsync(Guid trainingRun, int number, CancellationToken ct)
    {
        if (!await trials.IsLeftBehindAsync(trainingRun, number, ct)) return;
        await recorder.EndIfRunningAsync(
            RegistryRunIds.ForTrial(trainingRun, number), Run.Types.Status.Killed, CancelTrainingRun.Reason, ct);
        await trials.EndAsync(trainingRun, number, TrialOutcome.Failed(CancelTrainingRun.Reason, 0), ct);
    }

    private async Task<TrialOutcome> ExecuteAsync(TakenTrial trial, CancellationToken ct)
    {
        var start = time.GetTimestamp();
        var isStarted = false;
        try
        {
            var trainer = trainers.Get(trial.Pipeline.Trainer);
            var settings = TrainerSettings.Of(trainer, trial.Parameters, trial.Pipeline.Seed);
            var run = await StartRunAsync(trial, trainer, settings, ct);
            if (run.Status != Run.Types.Status.Running) return TrialOutcome.Of(run);
            isStarted = true;

            var data = await datasets.GetAsync(trial.Pipeline, trainer, ct);
            using var model = await FitAsync(trial, trainer, settings, data, ct);
            var rmse = RegressionMetrics.Of(data.Validation.Labels, model.Predict(data.Validation)).Rmse;
            var outcome = new TrialOutcome
            {
                ValidationRmse = double.IsFinite(rmse) ? rmse : throw new TrainerException("The model's predictions are not finite."),
                BestRound = model.BestRound,
                ModelDigest = await recorder.UploadAsync($"{trainer.Name}-model", model.Save(), ct),
                DurationSeconds = time.GetElapsedTime(start).TotalSeconds,
            };
            await recorder.LogAsync(outcome.ToBatch(trial.RegistryRunId), ct);
            await recorder.FinishAsync(trial.RegistryRunId, Run.Types.Status.Finished, "", ct);
            return outcome;
        }
        catch (Exception e) when (e is TrainerException or DatasetException or DomainException
            or RpcException { StatusCode: StatusCode.NotFound or StatusCode.InvalidArgument })
        {
            var reason = e is RpcException rpc ? rpc.Status.Detail : e.Message;
            if (isStarted) await recorder.FinishAsync(trial.RegistryRunId, Run.Types.Status.Failed, reason, ct);
            return TrialOutcome.Failed(reason, time.GetElapsedTime(start).TotalSeconds);
        }
    }

    private async Task<Run> StartRunAsync(TakenTrial trial, ITrainer trainer, TrainerSettings settings, CancellationToken ct)
    {
        var parent = await recorder.EnsureStartedAsync(ParentRun.Request(trial.TrainingRun, trial.Pipeline, trainer), ct);
        var request = new CreateRunRequest
        {
            RunId = trial.RegistryRunId,
            Experiment = trial.Pipeline.Experiment(),
            Name = $"trial {trial.Number}",
            ParentRunId = parent.RunId,
            DatasetDigest = trial.Pipeline.DatasetDigest,
        };
        foreach (var (name, value) in settings.Values) request.Parameters[name] = value;
        foreach (var (name, value) in RunEnvironment.Of(trial.Pipeline, trainer)) request.Tags[name] = value;
        return await recorder.StartAsync(request, ct);
    }

    /// <summary>Fits on a thread of its own and logs the rounds' errors meanwhile, what has come in once a second.</summary>
    private async Task<ITrainedModel> FitAsync(
        TakenTrial trial, ITrainer trainer, TrainerSettings settings, PreparedDataset data, CancellationToken ct)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var rounds = Channel.CreateUnbounded<RoundScore>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });
        var fitting = Task.Factory.StartNew(
            () =>
            {
                try
                {
                    return trainer.Train(
                        data.Train, data.Validation, settings, score => rounds.Writer.TryWrite(score), stop.Token);
                }
                finally
                {
                    rounds.Writer.Complete();
                }
            },
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        try
        {
            await LogRoundsAsync(trial.RegistryRunId, rounds.Reader, ct);
        }
        catch
        {
            await stop.CancelAsync();
            await ((Task)fitting).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (fitting.IsCompletedSuccessfully) (await fitting).Dispose();
            throw;
        }
        return await fitting;
    }

    private async Task LogRoundsAsync(string runId, ChannelReader<RoundScore> rounds, CancellationToken ct)
    {
        var batch = new List<Metric>();
        while (await rounds.WaitToReadAsync(ct))
        {
            while (rounds.TryRead(out var score))
            {
                batch.Add(new Metric { Key = "train_rmse", Value = score.TrainRmse, Step = score.Round });
                batch.Add(new Metric { Key = "validation_rmse", Value = score.ValidationRmse, Step = score.Round });
            }
            await recorder.LogAsync(runId, batch, ct);
            batch.Clear();
            await Task.WhenAny(rounds.Completion, Task.Delay(LogInterval, time, ct));
        }
    }

    private async Task EndAsync(TakenTrial trial, TrialOutcome outcome, Activity? activity, CancellationToken ct)
    {
        if (!await trials.EndAsync(trial.TrainingRun, trial.Number, outcome, ct)) return;
        var tag = new KeyValuePair<string, object?>("outcome", outcome.Succeeded ? "completed" : "failed");
        telemetry.Trials.Add(1, tag);
        telemetry.TrialDuration.Record(outcome.DurationSeconds, tag);
        if (!outcome.Succeeded) activity?.SetStatus(ActivityStatusCode.Error, outcome.Failure);
        LogEnded(trial.TrainingRun, trial.Number, outcome);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Trial {Trial} of training run {TrainingRun} is taken, attempt {Attempt}")]
    private partial void LogTaken(Guid trainingRun, int trial, int attempt);

    [LoggerMessage(Level = LogLevel.Information, Message = "Trial {Trial} of training run {TrainingRun} has ended before; nothing to do")]
    private partial void LogSkipped(Guid trainingRun, int trial);

    [LoggerMessage(Level = LogLevel.Information, Message = "Trial {Trial} of training run {TrainingRun} goes back to the queue: this process stops")]
    private partial void LogHandedBack(Guid trainingRun, int trial);

    [LoggerMessage(Level = LogLevel.Information, Message = "Trial {Trial} of training run {TrainingRun} ended: {Outcome}")]
    private partial void LogEnded(Guid trainingRun, int trial, TrialOutcome outcome);
}
