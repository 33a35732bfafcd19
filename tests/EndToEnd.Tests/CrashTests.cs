using Grpc.Core;
using MlOps.Contracts.OpenInference;
using MlOps.Contracts.Registry.V1;
using MlOps.Contracts.Training.V1;
using MlOps.TestServers;

namespace MlOps.EndToEnd.Tests;

/// <summary>Any single service may die at any moment: at most the requests in flight are lost, and the platform heals by itself.</summary>
[Collection(PlatformTests.Name)]
public sealed class CrashTests(RunningPlatform platform)
{
    private const int Callers = 8;
    private static readonly TimeSpan HealDeadline = TimeSpan.FromSeconds(60);

    public static TheoryData<string> Services => ["Inference", "FeatureStore", "Registry", "Training", "Monitoring", "Gateway"];

    [ServerTheory]
    [MemberData(nameof(Services))]
    public async Task A_killed_service_costs_at_most_the_requests_in_flight(string service)
    {
        using var stop = new CancellationTokenSource();
        var answered = 0;
        var lost = 0;
        var callers = Enumerable.Range(0, Callers).Select(_ => Task.Run(async () =>
        {
            var client = new GRPCInferenceService.GRPCInferenceServiceClient(platform.Grpc);
            while (!stop.IsCancellationRequested)
            {
                try
                {
                    await client.ModelInferAsync(Requests.Tensors(), Requests.Within(30));
                    Interlocked.Increment(ref answered);
                }
                catch (RpcException)
                {
                    Interlocked.Increment(ref lost);
                }
            }
        })).ToArray();

        await Eventually.Async(() => Volatile.Read(ref answered) > 50, HealDeadline, "traffic flows");
        using (var process = platform.ProcessOf(service)) process.Kill();
        await Eventually.Async(async () => !await platform.IsHealthyAsync(), HealDeadline, $"the platform notices that {service} died");
        await Eventually.Async(platform.IsHealthyAsync, HealDeadline, $"the platform heals after {service} died");
        var healed = Volatile.Read(ref answered);
        await Eventually.Async(() => Volatile.Read(ref answered) > healed + 50, HealDeadline, "traffic flows again");
        await stop.CancelAsync();
        await Task.WhenAll(callers);

        // The gateway holds the callers' own connection: besides the request in flight, each may have sent its next one before
        // the connection was seen to be gone.
        var inFlight = service == "Gateway" ? 2 * Callers : Callers;
        Assert.True(lost <= inFlight, $"{lost} of {answered + lost} requests were lost; {inFlight} were in flight");
    }

    [ServerFact]
    public async Task Training_that_dies_amid_a_search_takes_its_trials_again_and_registers_once()
    {
        var training = new TrainingService.TrainingServiceClient(platform.Grpc);
        var registry = new RegistryService.RegistryServiceClient(platform.Grpc);
        var earlier = await training.ListTrainingRunsAsync(new ListTrainingRunsRequest { Model = Requests.Model }, Requests.Within(10));
        var pipeline = earlier.Runs[0].Pipeline.Clone();
        pipeline.Model = "flight-delay-crash";
        pipeline.Experiment = "flight-delay-crash";

        var run = await training.SubmitPipelineAsync(
            new SubmitPipelineRequest { RequestId = Guid.NewGuid().ToString("N"), Pipeline = pipeline }, Requests.Within(20));
        await Eventually.Async(
            async () => (await GetAsync()).Trials.Any(t => t.State == Trial.Types.State.Running), HealDeadline, "a trial runs");
        using (var process = platform.ProcessOf("Training")) process.Kill();
        await Eventually.Async(
            async () => (await GetAsync()).State is TrainingRun.Types.State.Completed or TrainingRun.Types.State.Failed,
            TimeSpan.FromMinutes(4), "the training run ends");

        var ended = await GetAsync();
        Assert.True(ended.State == TrainingRun.Types.State.Completed, ended.Failure);
        Assert.All(ended.Trials, trial => Assert.Equal(Trial.Types.State.Completed, trial.State));
        Assert.Contains(ended.Trials, trial => trial.Attempts > 1);
        Assert.Equal(ended.Trials.Count, ended.Trials.Select(t => t.RunId).Distinct().Count());
        var versions = await registry.ListModelVersionsAsync(new ListModelVersionsRequest { Model = pipeline.Model }, Requests.Within(10));
        Assert.Equal(ended.ModelVersion, Assert.Single(versions.Versions).Version);

        async Task<TrainingRun> GetAsync()
        {
            try
            {
                return await training.GetTrainingRunAsync(
                    new GetTrainingRunRequest { TrainingRunId = run.TrainingRunId }, Requests.Within(15));
            }
            catch (RpcException e) when (e.StatusCode is StatusCode.Unavailable or StatusCode.DeadlineExceeded or StatusCode.Internal)
            {
                return run;
            }
        }
    }
}
