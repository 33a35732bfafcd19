using FsCheck;
using FsCheck.Fluent;
using MlOps.Numerics.Splits;

namespace MlOps.Numerics.Tests.Splits;

public class TimeSplitTests
{
    [Fact]
    public void Distinct_times_are_cut_at_the_wanted_shares()
    {
        var split = TimeSplit.Of([50, 10, 40, 20, 30, 60, 70, 80, 90, 100], 0.6, 0.2, 0.2);

        Assert.Equal([1, 3, 4, 2, 0, 5], split.Train);
        Assert.Equal([6, 7], split.Validation);
        Assert.Equal([8, 9], split.Test);
    }

    [Fact]
    public void Rows_of_one_time_go_to_the_earlier_part_together()
    {
        var split = TimeSplit.Of([1, 2, 2, 2, 2, 3], 0.34, 0.33, 0.33);

        Assert.Equal([0, 1, 2, 3, 4], split.Train);
        Assert.Empty(split.Validation);
        Assert.Equal([5], split.Test);
    }

    [Fact]
    public void Every_row_is_in_one_part_in_order_and_no_time_is_parted() =>
        Prop.ForAll<byte[], byte, byte>((raw, one, two) =>
    {
        var times = raw.Select(value => (long)value % 20).ToArray();
        var first = Math.Min(one, two) / 255.0;
        var second = Math.Max(one, two) / 255.0;
        var split = TimeSplit.Of(times, first, second - first, 1 - second);
        int[][] parts = [split.Train, split.Validation, split.Test];

        Assert.Equal(Enumerable.Range(0, times.Length), parts.SelectMany(part => part).Order());
        var keys = parts.SelectMany((part, number) => part.Select(row => (number, times[row], row))).ToArray();
        Assert.Equal(keys.OrderBy(key => key.Item2).ThenBy(key => key.row), keys);
        Assert.All(keys.GroupBy(key => key.Item2), time => Assert.Single(time.Select(key => key.number).Distinct()));
    }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData(0.5, 0.2, 0.2)]
    [InlineData(1.2, -0.2, 0)]
    [InlineData(double.NaN, 0.5, 0.5)]
    public void Shares_that_do_not_sum_to_one_are_refused(double train, double validation, double test) =>
        Assert.Throws<ArgumentException>(() => TimeSplit.Of([1, 2, 3], train, validation, test));
}
