using MlOps.Numerics.Windows;

namespace MlOps.Numerics.Tests.Windows;

public class SlidingAggregateTests
{
    [Fact]
    public void Steps_equal_counting_every_row_at_every_time()
    {
        for (var seed = 0; seed < 200; seed++)
        {
            var random = new Random(seed);
            var rows = Enumerable.Range(0, random.Next(0, 40)).Select(_ =>
            {
                var at = random.Next(-20, 60);
                return (Event: (long)at, Known: (long)at + random.Next(-3, 25),
                    Value: random.Next(8) == 0 ? double.NaN : random.Next(-50, 50));
            }).ToArray();
            var window = random.Next(1, 20);

            var steps = Of(rows, window);

            for (var time = -30L; time <= 110; time++)
            {
                var inside = rows
                    .Where(row => row.Event > time - window && row.Event <= time && row.Known <= time).ToArray();
                var values = inside.Select(row => row.Value).Where(value => !double.IsNaN(value)).ToArray();
                var mean = values.Length == 0 ? double.NaN : values.Sum() / values.Length;
                Assert.Equal((inside.Length, mean), steps.At(time));
            }
        }
    }

    [Fact]
    public void Only_changes_are_steps_one_per_time()
    {
        // At 10 one row leaves as an equal one comes: nothing changes.
        var steps = Of([(0, 0, 5), (10, 10, 5), (10, 10, double.NaN), (12, 40, 1)], 10);

        Assert.Equal([0L, 10, 20], steps.TimesMicros);
        Assert.Equal([1L, 2, 0], steps.Counts);
        Assert.Equal([5, 5, double.NaN], steps.Means);
        Assert.Equal([0L, 20], Of([(0, 0, 5), (10, 10, 5)], 10).TimesMicros);
    }

    [Fact]
    public void A_row_known_too_late_is_never_in() => Assert.Empty(Of([(0, 10, 5)], 10).TimesMicros);

    [Fact]
    public void The_error_stays_in_its_bound_after_huge_values_have_passed()
    {
        var random = new Random(11);
        var rows = Enumerable.Range(0, 3_000).Select(i =>
            (Event: (long)i, Known: (long)i, Value: i % 700 == 3 ? 1e18 : random.NextDouble())).ToArray();

        var steps = Of(rows, 50);

        for (var time = 0L; time < 3_050; time += 7)
        {
            var inside = rows
                .Where(row => row.Event > time - 50 && row.Event <= time).Select(row => row.Value).ToArray();
            var exact = inside.Aggregate(0m, (sum, value) => sum + (decimal)value) / inside.Length;
            var bound = 13 * Math.ScaleB(inside.Sum(Math.Abs), -53) / inside.Length;
            Reference.Close((double)exact, steps.At(time).Mean, 1e-15, bound, $"at {time}");
        }
    }

    [Fact]
    public void The_order_of_the_rows_has_no_influence()
    {
        var random = new Random(3);
        var rows = Enumerable.Range(0, 500)
            .Select(_ => ((long)random.Next(100), (long)random.Next(130), random.NextDouble())).ToArray();
        var expected = Of(rows, 30);
        random.Shuffle(rows);

        var shuffled = Of(rows, 30);

        Assert.Equal(expected.TimesMicros, shuffled.TimesMicros);
        Assert.Equal(expected.Means, shuffled.Means);
    }

    private static SlidingAggregate Of((long Event, long Known, double Value)[] rows, long window) =>
        SlidingAggregate.Of(
            [.. rows.Select(row => row.Event)],
            [.. rows.Select(row => row.Known)],
            [.. rows.Select(row => row.Value)],
            window);
}
