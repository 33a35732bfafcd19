using MlOps.Training.Search;

namespace MlOps.Training.Tests.Search;

public sealed class GridSearchTests
{
    private static readonly GridDimension[] Grid =
        [new("max_depth", ["3", "6", "9"]), new("eta", ["0.05", "0.1", "0.3", "0.5"]), new("subsample", ["0.7", "1"])];

    [Fact]
    public void The_same_seed_draws_the_same_and_another_seed_something_else()
    {
        var drawn = Keys(GridSearch.Draw(Grid, 8, 42));
        Assert.Equal(drawn, Keys(GridSearch.Draw(Grid, 8, 42)));
        Assert.NotEqual(drawn, Keys(GridSearch.Draw(Grid, 8, 43)));
    }

    [Fact]
    public void No_configuration_is_drawn_twice_up_to_the_whole_grid()
    {
        for (var seed = 0UL; seed < 200; seed++)
        {
            var drawn = Keys(GridSearch.Draw(Grid, 24, seed));
            Assert.Equal(24, drawn.Distinct().Count());
        }
    }

    [Fact]
    public void Every_configuration_comes_first_about_equally_often()
    {
        const int draws = 24_000;
        var counts = Enumerable.Range(0, draws).Select(seed => Keys(GridSearch.Draw(Grid, 1, (ulong)seed))[0]).CountBy(key => key).ToList();

        // Chi-square with 23 degrees of freedom: 49.7 is its 99.9 % point. The seeds are fixed, so this never flickers.
        var expected = draws / 24.0;
        Assert.Equal(24, counts.Count);
        Assert.True(counts.Sum(count => Math.Pow(count.Value - expected, 2) / expected) < 49.7);
    }

    [Fact]
    public void Without_dimensions_there_is_one_empty_configuration()
    {
        Assert.Equal(1, GridSearch.SizeOf([]));
        Assert.Empty(Assert.Single(GridSearch.Draw([], 1, 5)));
    }

    [Fact]
    public void A_grid_too_large_to_count_can_still_be_drawn_from()
    {
        var wide = Enumerable.Range(0, 40).Select(i => new GridDimension($"p{i}", ["1", "2", "3", "4", "5"])).ToArray();
        Assert.Equal(long.MaxValue, GridSearch.SizeOf(wide));
        Assert.Equal(100, Keys(GridSearch.Draw(wide, 100, 1)).Distinct().Count());
    }

    private static List<string> Keys(IEnumerable<IReadOnlyDictionary<string, string>> drawn) =>
        [.. drawn.Select(point => string.Join(";", point.OrderBy(p => p.Key, StringComparer.Ordinal)))];
}
