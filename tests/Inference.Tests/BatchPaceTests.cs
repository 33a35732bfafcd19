using MlOps.Inference.Batching;

namespace MlOps.Inference.Tests;

public sealed class BatchPaceTests
{
    // 100 µs a run and 10 µs a row, so 64 rows take 740 µs.
    private static readonly BatchVerdict Verdict = new(64, true, "", TimeSpan.FromMicroseconds(100), TimeSpan.FromMicroseconds(10));

    [Fact]
    public void Where_the_target_is_kept_runs_are_as_large_as_they_may_be()
    {
        var pace = new BatchPace(Verdict, TimeSpan.FromMilliseconds(10));
        for (var i = 0; i < 1_000; i++) pace.Observe(pace.MaxRows, TimeOf(pace.MaxRows, 1));

        Assert.Equal(64, pace.MaxRows);
    }

    [Fact]
    public void Where_it_is_not_runs_become_smaller_until_they_take_half_of_it()
    {
        var pace = new BatchPace(Verdict, TimeSpan.FromMicroseconds(800));
        for (var i = 0; i < 10_000; i++) pace.Observe(pace.MaxRows, TimeOf(pace.MaxRows, 1));

        // 30 rows take 400 µs, the half; the way there and back is a tenth.
        Assert.InRange(pace.MaxRows, 26, 31);
    }

    [Fact]
    public void One_in_a_hundred_runs_misses_it_however_times_are_spread()
    {
        var random = new Random(7);
        var pace = new BatchPace(Verdict, TimeSpan.FromMilliseconds(3));
        var missed = 0;
        const int Runs = 200_000;
        for (var i = 0; i < Runs; i++)
        {
            // Exponential: a run takes twice its time in one of seven, four times in one of fifty.
            var took = TimeOf(pace.MaxRows, 0.5 - (0.5 * Math.Log(1 - random.NextDouble())));
            if (took > TimeSpan.FromMicroseconds(1_500)) missed++;
            pace.Observe(pace.MaxRows, took);
        }

        Assert.InRange(missed / (double)Runs, 0.008, 0.012);
    }

    [Fact]
    public void When_runs_are_fast_again_they_grow_again()
    {
        var pace = new BatchPace(Verdict, TimeSpan.FromMilliseconds(2));
        for (var i = 0; i < 100; i++) pace.Observe(pace.MaxRows, TimeOf(pace.MaxRows, 10));
        Assert.InRange(pace.MaxRows, 2, 5);
        for (var i = 0; i < 10_000; i++) pace.Observe(pace.MaxRows, TimeOf(pace.MaxRows, 1));

        Assert.Equal(64, pace.MaxRows);
    }

    [Fact]
    public void What_is_expected_follows_how_runs_are_compared_with_those_at_load()
    {
        var pace = new BatchPace(Verdict, TimeSpan.FromSeconds(1));
        Assert.Equal(TimeSpan.FromMicroseconds(420), pace.Expect(32));
        for (var i = 0; i < 200; i++) pace.Observe(8, TimeOf(8, 3));

        Assert.InRange(pace.Expect(32).TotalMicroseconds, 1_259, 1_261);
    }

    private static TimeSpan TimeOf(int rows, double slowness) => (Verdict.RunCost + (Verdict.RowCost * rows)) * slowness;
}
