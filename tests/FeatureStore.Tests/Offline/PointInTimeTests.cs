using MlOps.FeatureStore.Offline;

namespace MlOps.FeatureStore.Tests.Offline;

public sealed class PointInTimeTests
{
    private static readonly long[] Times = [100, 200, 200, 300];
    private static readonly long[] Known = [100, 200, 250, 350];

    [Theory]
    [InlineData(99, 0, -1)] // before the first
    [InlineData(100, 0, 0)] // exactly at T
    [InlineData(101, 0, 0)]
    [InlineData(199, 0, 0)] // one microsecond before the next
    [InlineData(200, 0, 1)] // the second of the same time is not known yet
    [InlineData(249, 0, 1)]
    [InlineData(250, 0, 2)] // among equal times the one known last
    [InlineData(300, 0, 2)] // there, but known only at 350
    [InlineData(349, 0, 2)]
    [InlineData(350, 0, 3)]
    [InlineData(350, 50, 3)] // exactly T − ttl
    [InlineData(351, 50, -1)] // one microsecond too old
    [InlineData(300, 100, 2)] // the older one is in when the newer is unknown
    [InlineData(301, 100, -1)]
    [InlineData(10_000, 0, 3)] // ttl 0: no lower bound
    public void The_newest_known_value_not_older_than_the_ttl_is_found(long time, long ttl, int expected) =>
        Assert.Equal(expected, PointInTime.Find(Times, Known, time, ttl));

    [Fact]
    public void Without_rows_nothing_is_found() => Assert.Equal(-1, PointInTime.Find([], [], 5, 0));

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void It_agrees_with_reading_every_row(int seed)
    {
        var random = new Random(seed);
        for (var trial = 0; trial < 500; trial++)
        {
            var rows = Enumerable.Range(0, random.Next(12))
                .Select(_ => (Event: random.NextInt64(30), Known: random.NextInt64(40))).Order().ToArray();
            var (time, ttl) = (random.NextInt64(45), random.NextInt64(3) * 7);

            var allowed = rows.Index().Where(row => row.Item.Event <= time && row.Item.Known <= time
                && (ttl == 0 || row.Item.Event >= time - ttl)).ToArray();
            var expected = allowed.Length == 0 ? -1 : allowed.MaxBy(row => row.Item).Index;

            var found = PointInTime.Find([.. rows.Select(row => row.Event)], [.. rows.Select(row => row.Known)], time, ttl);
            // Rows equal in both times are one value to this rule: the store's order settles them.
            Assert.Equal(expected < 0 ? default : rows[expected], found < 0 ? default : rows[found]);
            Assert.Equal(expected < 0, found < 0);
        }
    }
}
