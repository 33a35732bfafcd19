using Grpc.Core;
using MlOps.Inference.Batching;
using MlOps.Inference.Models;
using MlOps.Inference.Predictions;
using MlOps.ServiceDefaults;
using MlOps.TestServers;

namespace MlOps.Inference.Tests;

public sealed class BatcherTests : IDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);
    private readonly ManualTimeProvider _time = new();
    private readonly HeldBackend _backend = new();
    private readonly LoadedModel _model;
    private readonly Batcher _batcher;

    public BatcherTests()
    {
        var settings = new ModelSettings { Batching = new BatchSettings { MaxRuns = 1, MaxWaitingRows = 4 } };
        _model = HeldBackend.Serve(_backend, settings);
        _batcher = new Batcher(_model, new BatchVerdict(8, true, "", TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(1)), _time);
    }

    public void Dispose()
    {
        _batcher.Dispose();
        _model.Dispose();
    }

    [Fact]
    public async Task Who_finds_a_run_free_has_it_alone_and_at_once()
    {
        _backend.LetGo(1);
        using var workspace = Filled(3);

        var run = _batcher.RunAsync(workspace, CallOf(), CancellationToken.None);

        Assert.True(run.IsCompletedSuccessfully);
        Assert.Equal(1, (await run).Rows);
        Assert.Equal(6f, workspace.Outputs[0].As<float>()[0]);
    }

    [Fact]
    public async Task Who_comes_meanwhile_shares_the_next_run_and_gets_its_own_rows()
    {
        var first = Begin(1);
        await UnderWayAsync(1);
        using var second = Filled(2, 3);
        using var third = Filled(4);
        var (two, one) = (RunAsync(second), RunAsync(third));
        await WaitingAsync(3);

        _backend.LetGo(2);

        Assert.Equal((1, 3, 3), ((await first).Rows, (await two).Rows, (await one).Rows));
        Assert.Equal([4f, 6f], second.Outputs[0].As<float>().ToArray());
        Assert.Equal([8f], third.Outputs[0].As<float>().ToArray());
        Assert.Equal([[1f], [2f, 3f, 4f]], _backend.Runs);
        Assert.Equal([(1, 1L), (3, 1L)], _model.Counts.Read().SharedRuns.Select(r => (r.Key, r.Value.Count)));
        Assert.Equal(2, _model.Counts.Read().Runs);
    }

    [Fact]
    public async Task One_that_the_model_refuses_does_not_spoil_the_others_answers()
    {
        var first = Begin(1);
        await UnderWayAsync(1);
        using var good = Filled(5);
        var (bad, fine) = (Begin(-1), RunAsync(good));
        await WaitingAsync(2);

        _backend.LetGo(4);

        await first;
        var refused = await Assert.ThrowsAsync<InvalidRequestException>(() => bad);
        Assert.Equal("MODEL_REFUSED_INPUT", refused.Code);
        await fine;
        Assert.Equal(10f, good.Outputs[0].As<float>()[0]);
    }

    [Fact]
    public async Task Beyond_its_bound_the_line_refuses_the_newcomer_or_a_lower_tier()
    {
        var first = Begin(1);
        await UnderWayAsync(1);
        var (shadow, stable) = (Begin(CallTier.Shadow, 2), Begin(3, 4, 5));
        await WaitingAsync(4);

        var newcomer = await Assert.ThrowsAsync<RpcException>(() => Begin(CallTier.Shadow, 6));
        var canary = Begin(CallTier.Canary, 7);
        var displaced = await Assert.ThrowsAsync<RpcException>(() => shadow);

        Assert.All([newcomer, displaced], e => Assert.Equal(
            (StatusCode.ResourceExhausted, "OVERLOADED"), (e.StatusCode, e.Trailers.GetValue("mlops-code"))));
        _backend.LetGo(2);
        await Task.WhenAll(first, stable, canary);
        Assert.Equal([3f, 4, 5, 7], _backend.Runs[1]);
    }

    [Fact]
    public async Task Who_stands_in_line_too_long_is_refused_though_nothing_else_happens()
    {
        var first = Begin(1);
        await UnderWayAsync(1);
        var early = Begin(2);
        await WaitingAsync(1);
        _time.Advance(TimeSpan.FromMilliseconds(600));
        var late = Begin(3);
        await WaitingAsync(2);

        _time.Advance(TimeSpan.FromMilliseconds(402));
        var refused = await Assert.ThrowsAsync<RpcException>(() => early);
        Assert.Equal(StatusCode.ResourceExhausted, refused.StatusCode);
        Assert.Contains("1000 ms", refused.Status.Detail, StringComparison.Ordinal);
        Assert.False(late.IsCompleted);
        _time.Advance(TimeSpan.FromMilliseconds(600));
        await Assert.ThrowsAsync<RpcException>(() => late);

        _backend.LetGo(1);
        await first;
        Assert.Single(_backend.Runs);
    }

    [Fact]
    public async Task Who_gives_up_in_line_is_not_computed_and_who_is_in_a_run_gets_its_answer()
    {
        using var caller = new CancellationTokenSource();
        using var workspace = Filled(1);
        var first = Task.Run(() => _batcher.RunAsync(workspace, CallOf(), caller.Token).AsTask());
        await UnderWayAsync(1);
        using var impatient = Filled(2);
        var second = _batcher.RunAsync(impatient, CallOf(), caller.Token).AsTask();
        var third = Begin(3);
        await WaitingAsync(2);

        await caller.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        _backend.LetGo(2);

        await Task.WhenAll(first, third);
        Assert.Equal([[1f], [3f]], _backend.Runs);
    }

    [Fact]
    public async Task Who_would_be_late_is_told_so_without_being_computed()
    {
        var first = Begin(1);
        await UnderWayAsync(1);
        using var workspace = Filled(2);
        // A run of one row takes 2 ms by what was measured at load.
        var hopeless = _batcher.RunAsync(workspace, CallOf() with { Deadline = _time.GetTimestamp() + TimeSpan.TicksPerMillisecond }, CancellationToken.None).AsTask();
        var relaxed = Begin(3);
        await WaitingAsync(2);

        _backend.LetGo(2);

        Assert.Equal(StatusCode.DeadlineExceeded, (await Assert.ThrowsAsync<RpcException>(() => hopeless)).StatusCode);
        await Task.WhenAll(first, relaxed);
        Assert.Equal([[1f], [3f]], _backend.Runs);
    }

    [Fact]
    public async Task However_many_come_at_once_each_gets_its_own_answer()
    {
        _backend.LetGo(10_000);
        var callers = Enumerable.Range(0, 8).Select(caller => Task.Run(async () =>
        {
            for (var i = 0; i < 500; i++)
            {
                var value = (1000 * caller) + i;
                using var workspace = Filled(value);
                try
                {
                    await _batcher.RunAsync(workspace, CallOf(), CancellationToken.None);
                    Assert.Equal(2f * value, workspace.Outputs[0].As<float>()[0]);
                }
                catch (RpcException e) when (e.StatusCode == StatusCode.ResourceExhausted)
                {
                    // Eight callers are more than the line takes at times.
                }
            }
        }));

        await Task.WhenAll(callers);

        Assert.Equal(0, _batcher.WaitingRows);
        Assert.All(_backend.Runs, run => Assert.InRange(run.Length, 1, 4));
    }

    private Task<SharedRun> Begin(params float[] values) => Begin(CallTier.Stable, values);

    // Off the test's thread, which the first run would hold.
    private Task<SharedRun> Begin(CallTier tier, params float[] values) => Task.Run(async () =>
    {
        using var workspace = Filled(values);
        return await _batcher.RunAsync(workspace, CallOf(tier), CancellationToken.None);
    });

    private Task<SharedRun> RunAsync(Workspace workspace) => _batcher.RunAsync(workspace, CallOf(), CancellationToken.None).AsTask();

    private Workspace Filled(params float[] values)
    {
        var workspace = _model.RentWorkspace(0);
        var violations = new Violations();
        var slot = workspace.Inputs[0];
        slot.TryBegin(violations);
        slot.TryShape("FP32", [values.Length, 1], violations);
        foreach (var value in values) slot.Append(value);
        workspace.Check(violations);
        return workspace;
    }

    private static Call CallOf(CallTier tier = CallTier.Stable) => new("grpc", "", "", "", 0, tier);

    private Task UnderWayAsync(int runs) => Eventually.Async(() => _backend.Runs.Count == runs, Deadline);

    private Task WaitingAsync(int rows) => Eventually.Async(() => _batcher.WaitingRows == rows, Deadline);
}
