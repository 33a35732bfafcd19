using System.Text;
using System.Text.Json;
using MlOps.Numerics.Profiles;
using MlOps.Numerics.Statistics;

namespace MlOps.Numerics.Tests.Profiles;

public class ReferenceProfileTests
{
    [Fact]
    public void A_profile_survives_JSON_to_the_bit()
    {
        var profile = new ReferenceProfile
        {
            Features =
            [
                FeatureProfile.Numeric("distance", [0.1 + 0.2, 1e-300, double.MaxValue, double.NaN, -7]),
                FeatureProfile.Categorical("origin", ["ORD", "ATL", null, "ATL", "São \"Paulo\"", ""]),
                FeatureProfile.Numeric("empty", ReadOnlySpan<double>.Empty),
            ],
            Predictions = FeatureProfile.Numeric("prediction", [1.5f, 2.5f]),
            Label = FeatureProfile.Numeric("delay", [-3.0, 12]),
        };

        var json = profile.ToJson();
        var read = ReferenceProfile.FromJson(json);

        Assert.Equal(json, read.ToJson());
        Assert.Equal(profile.Features[0].Values, read.Features[0].Values);
        Assert.Equal(1, read.Features[0].Missing);
        Assert.Equal(["", "ATL", "ORD", "São \"Paulo\""], read.Features[1].Categories.Keys);
        Assert.Equal(2, read.Features[1].Categories["ATL"]);
        Assert.Equal((5, 1), (read.Features[1].Total, read.Features[1].Missing));
        Assert.Null(read.Features[2].Mean);
        Assert.Equal(4.5, read.Label?.Mean);
        Assert.Contains("\"kind\":\"Categorical\"", Encoding.UTF8.GetString(json), StringComparison.Ordinal);
    }

    [Fact]
    public void Up_to_twenty_thousand_distinct_values_are_kept_all()
    {
        var samples = Enumerable.Range(0, 60_000).Select(i => (double)(i % 20_000)).ToArray();

        var profile = FeatureProfile.Numeric("x", samples);

        Assert.True(profile.IsExact);
        Assert.Equal(20_000, profile.Values.Length);
        Assert.All(profile.Counts, count => Assert.Equal(3, count));
    }

    [Fact]
    public void More_become_quantile_points_within_a_twenty_thousandth()
    {
        var random = new Random(4);
        double[] samples =
            [.. Enumerable.Range(0, 123_457).Select(_ => Math.Round(random.NextDouble() * 40_000) + 0.25)];
        var exact = EmpiricalDistribution.FromSamples(samples);

        var profile = FeatureProfile.Numeric("x", samples);
        var kept = profile.ToDistribution();

        Assert.False(profile.IsExact);
        Assert.True(profile.Values.Length <= 20_000);
        Assert.Equal(samples.Length, kept.Total);
        Assert.Equal((exact.Values[0], exact.Values[^1]), (kept.Values[0], kept.Values[^1]));
        Assert.Equal(exact.Mean, profile.Mean);
        Assert.Equal(exact.Quantile(0.95), profile.Quantiles[5]);
        Assert.InRange(KolmogorovSmirnov.TwoSample(exact, kept).Statistic, 0, 1 / 20_000.0);
    }

    [Theory]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("{\"features\":[{\"name\":\"x\"}]}")]
    [InlineData("nonsense")]
    public void What_is_no_profile_is_refused(string json) =>
        Assert.Throws<JsonException>(() => ReferenceProfile.FromJson(Encoding.UTF8.GetBytes(json)));
}
