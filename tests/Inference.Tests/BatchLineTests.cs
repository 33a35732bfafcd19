using MlOps.Inference.Batching;
using MlOps.Inference.Models;
using MlOps.Inference.Predictions;

namespace MlOps.Inference.Tests;

public sealed class BatchLineTests : IDisposable
{
    private readonly LoadedModel _model = SampleModels.Named("plain rows").Open();
    private readonly List<BatchMember> _taken = [];
    private readonly List<BatchMember> _late = [];
    private readonly List<BatchMember> _displaced = [];
    private long _now;

    public void Dispose() => _model.Dispose();

    [Fact]
    public void What_waits_makes_up_the_next_run_up_to_its_size()
    {
        var line = new BatchLine(100, []);
        BatchMember[] members = [Come(line, 3), Come(line, 4), Come(line, 2), Come(line, 1)];

        line.TakeRun(8, _ => 0, _taken, _late);
        Assert.Equal(members[..2], _taken);
        Assert.Equal(3, line.Rows);

        _taken.Clear();
        line.TakeRun(8, _ => 0, _taken, _late);
        Assert.Equal(members[2..], _taken);
        Assert.True(line.IsEmpty);
        Assert.Null(line.OldestArrival);
    }

    [Fact]
    public void The_stable_ones_are_taken_first_then_canaries_then_shadows()
    {
        var line = new BatchLine(100, []);
        var (shadow, canary, stable) = (Come(line, 1, CallTier.Shadow), Come(line, 1, CallTier.Canary), Come(line, 1));

        line.TakeRun(2, _ => 0, _taken, _late);

        Assert.Equal([stable, canary], _taken);
        Assert.Equal(shadow.ArrivedAt, line.OldestArrival);
    }

    [Fact]
    public void A_few_rows_more_than_a_preferred_size_wait_for_the_next_run()
    {
        var line = new BatchLine(100, [4, 8]);
        var members = Enumerable.Range(0, 10).Select(_ => Come(line, 1)).ToArray();

        line.TakeRun(16, _ => 0, _taken, _late);
        Assert.Equal(members[..8], _taken);

        _taken.Clear();
        line.TakeRun(16, _ => 0, _taken, _late);
        Assert.Equal(members[8..], _taken);
    }

    [Fact]
    public void A_run_is_as_large_as_its_most_urgent_request_allows()
    {
        var line = new BatchLine(100, []);
        // A run takes 10 and 10 more for each row.
        long EndOf(int rows) => 10 + (10 * rows);
        var relaxed = Come(line, 1);
        var urgent = Come(line, 1, deadline: 30);
        var third = Come(line, 1);

        line.TakeRun(8, EndOf, _taken, _late);

        Assert.Equal([relaxed, urgent], _taken);
        Assert.Empty(_late);
        _taken.Clear();
        line.TakeRun(8, EndOf, _taken, _late);
        Assert.Equal([third], _taken);
    }

    [Fact]
    public void Who_would_be_late_even_alone_is_not_computed()
    {
        var line = new BatchLine(100, []);
        var (late, other) = (Come(line, 1, deadline: 19), Come(line, 1, deadline: 20));

        line.TakeRun(8, rows => 10 + (10 * rows), _taken, _late);

        Assert.Equal([late], _late);
        Assert.Equal([other], _taken);
        Assert.True(line.IsEmpty);
    }

    [Fact]
    public void A_full_line_takes_nobody_but_in_place_of_lower_tiers_the_latest_of_which_go_first()
    {
        var line = new BatchLine(6, []);
        var (canary, old, young) = (Come(line, 2, CallTier.Canary), Come(line, 2, CallTier.Shadow), Come(line, 2, CallTier.Shadow));

        Assert.False(line.TryAdd(Member(1, CallTier.Shadow), _displaced));
        Assert.Empty(_displaced);
        Assert.True(line.TryAdd(Member(1, CallTier.Canary), _displaced));
        Assert.Equal([young], _displaced);
        var stable = Member(3);
        Assert.True(line.TryAdd(stable, _displaced));
        Assert.Equal([young, old], _displaced);
        Assert.Equal(6, line.Rows);
        Assert.False(line.TryAdd(Member(4), _displaced));
        Assert.Equal([young, old], _displaced);
        line.TakeRun(5, _ => 0, _taken, _late);
        Assert.Equal([stable, canary], _taken);
    }

    [Fact]
    public void A_larger_request_than_a_run_may_be_goes_alone()
    {
        var line = new BatchLine(100, []);
        var (large, small) = (Come(line, 20), Come(line, 1));

        line.TakeRun(8, _ => 0, _taken, _late);
        Assert.Equal([large], _taken);
        _taken.Clear();
        line.TakeRun(8, _ => 0, _taken, _late);
        Assert.Equal([small], _taken);
    }

    [Fact]
    public void Who_waited_too_long_or_gave_up_is_out()
    {
        var line = new BatchLine(100, []);
        var (first, second, third) = (Come(line, 1, CallTier.Shadow), Come(line, 1), Come(line, 1));

        line.TakeOlder(second.ArrivedAt, _taken);
        Assert.Equal([first], _taken);
        Assert.True(line.TryRemove(third));
        Assert.False(line.TryRemove(third));
        Assert.Equal(1, line.Rows);
        Assert.Equal(second.ArrivedAt, line.OldestArrival);
    }

    private BatchMember Come(BatchLine line, int rows, CallTier tier = CallTier.Stable, long deadline = long.MaxValue)
    {
        var member = Member(rows, tier, deadline);
        Assert.True(line.TryAdd(member, _displaced));
        return member;
    }

    private BatchMember Member(int rows, CallTier tier = CallTier.Stable, long deadline = long.MaxValue)
    {
        var workspace = new Workspace(_model);
        SampleModel.Fill(workspace, 1, 0, rows);
        return new BatchMember(workspace, tier, ++_now, deadline);
    }
}
