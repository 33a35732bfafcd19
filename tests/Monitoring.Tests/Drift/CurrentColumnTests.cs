using MlOps.Monitoring.Drift;
using MlOps.Monitoring.PredictionLog;
using MlOps.Numerics.Profiles;
using MlOps.Numerics.Statistics;

namespace MlOps.Monitoring.Tests.Drift;

public class CurrentColumnTests
{
    [Fact]
    public void Many_values_are_counted_as_all_at_once()
    {
        var random = new Random(3);
        var values = Enumerable.Range(0, 300_001).Select(i => i % 1000 == 0 ? double.NaN : Math.Round(random.NextDouble(), 3)).ToArray();
        var column = new CurrentColumn(FeatureKind.Numeric);

        foreach (var value in values) column.Add(value);

        var (expected, actual) = (EmpiricalDistribution.FromSamples(values), column.Numbers());
        Assert.Equal(expected.Values, actual.Values);
        Assert.Equal(expected.Counts, actual.Counts);
        Assert.Equal(expected.Missing, actual.Missing);
    }

    [Theory]
    [InlineData("t", "2.5", 0, "2.5", 2.5)]
    [InlineData("t", "two", 0, "two", null)]
    [InlineData("t", null, 0, null, null)]
    [InlineData("d", null, 0.1, "0.1", 0.1)]
    [InlineData("d", null, double.NaN, null, null)]
    [InlineData("i", null, 7, "7", 7.0)]
    [InlineData("b", null, 1, "true", 1.0)]
    [InlineData("b", null, 0, "false", 0.0)]
    public void A_value_is_read_as_the_profile_read_it(string kind, string? text, double number, string? category, double? numeric)
    {
        var (categorical, numbers) = (new CurrentColumn(FeatureKind.Categorical), new CurrentColumn(FeatureKind.Numeric));
        foreach (var column in new[] { categorical, numbers }) column.Add(new InputSlot(kind, 0), [number], [text]);

        Assert.Equal(category is null ? [] : [category], categorical.Categories.Keys);
        Assert.Equal(category is null ? 1 : 0, categorical.MissingCategories);
        Assert.Equal(numeric is null ? [] : [numeric.Value], numbers.Numbers().Values);
        Assert.Equal(numeric is null ? 1 : 0, numbers.Numbers().Missing);
    }

    [Fact]
    public void A_masked_text_is_neither_a_category_nor_missing()
    {
        var column = new CurrentColumn(FeatureKind.Categorical);

        foreach (var text in (string?[])["masked:0123456789abcdef0123456789abcdef", "unmasked", null])
            column.Add(new InputSlot("t", 0), [], [text]);

        Assert.Equal(["unmasked"], column.Categories.Keys);
        Assert.Equal(1, column.MissingCategories);
    }

    [Fact]
    public void A_layout_finds_each_column_in_the_array_of_its_sort()
    {
        var layout = new InputLayout(["a", "b", "c", "d"], ["d", "t", "b", "t"]);

        Assert.Equal(
            [new("d", 0), new("t", 0), new("b", 1), new("t", 1), null],
            new[] { "a", "b", "c", "d", "e" }.Select(layout.Find));
    }

    [Fact]
    public void Layouts_of_other_names_or_kinds_have_other_digests()
    {
        InputLayout[] layouts =
        [
            new(["a"], ["d"]), new(["a"], ["i"]), new(["ad"], ["d"]), new(["a", "b"], ["d", "d"]), new(["b", "a"], ["d", "d"]), new([], []),
        ];

        Assert.Equal(layouts.Length, layouts.Select(l => Convert.ToHexString(l.Digest())).Distinct().Count());
    }
}
