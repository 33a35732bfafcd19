using MlOps.Numerics.Sequential;

namespace MlOps.Numerics.Tests.Sequential;

public class SampleRatioTests
{
    [Fact]
    public void Both_p_equal_SciPys_and_the_product_of_predictive_chances()
    {
        foreach (var sample in Reference.Load<Sample[]>("sample_ratio.json"))
        {
            Reference.Close(sample.ChiSquare, SampleRatio.ChiSquare(sample.Counts, sample.Weights).PValue, 1e-8, 1e-300);
            Reference.Close(sample.Sequential50, SampleRatio.SequentialPValue(sample.Counts, sample.Weights, 50), 1e-6, 1e-300);
            Reference.Close(
                sample.Sequential10000, SampleRatio.SequentialPValue(sample.Counts, sample.Weights, 10_000), 1e-6, 1e-300);
        }
    }

    [Fact]
    public void Looked_at_after_every_tenth_unit_a_fair_split_alarms_no_more_often_than_said()
    {
        var (sequential, repeated) = (0, 0);
        for (var seed = 0; seed < 1_000; seed++)
        {
            var random = new Random(seed);
            long[] counts = [0, 0];
            var (least, leastOfChiSquare) = (1.0, 1.0);
            for (var n = 1; n <= 4_000; n++)
            {
                counts[random.NextDouble() < 0.9 ? 0 : 1]++;
                if (n % 10 != 0) continue;
                least = Math.Min(least, SampleRatio.SequentialPValue(counts, [0.9, 0.1], 200));
                leastOfChiSquare = Math.Min(leastOfChiSquare, SampleRatio.ChiSquare(counts, [0.9, 0.1]).PValue);
            }

            if (least < 0.05) sequential++;
            if (leastOfChiSquare < 0.05) repeated++;
        }

        Assert.InRange(sequential, 0, 50);
        Assert.True(repeated > 150, "Chi-square at every look would not be inflated here.");
    }

    [Fact]
    public void A_tenth_too_few_is_found_within_a_few_thousand_units()
    {
        Assert.True(SampleRatio.SequentialPValue([5_263, 4_737], [0.5, 0.5]) < SampleRatio.Alarm);
        Assert.True(SampleRatio.SequentialPValue([5_050, 4_950], [0.5, 0.5]) > 0.05);
        Assert.True(SampleRatio.SequentialPValue([2_000, 0], [0.99, 0.01]) < SampleRatio.Alarm);
    }

    [Fact]
    public void Weights_count_by_their_ratio_and_must_be_there()
    {
        Assert.Equal(
            SampleRatio.SequentialPValue([30, 60], [0.2, 0.8]), SampleRatio.SequentialPValue([30, 60], [2, 8]), 12);
        Assert.Throws<ArgumentException>(() => SampleRatio.ChiSquare([1, 2], [1, 0]));
        Assert.Throws<ArgumentException>(() => SampleRatio.ChiSquare([1], [1]));
        Assert.Throws<ArgumentOutOfRangeException>(() => SampleRatio.ChiSquare([1, -1], [1, 1]));
    }

    private sealed record Sample(
        long[] Counts, double[] Weights, double ChiSquare,
        [property: System.Text.Json.Serialization.JsonPropertyName("sequential_50")] double Sequential50,
        [property: System.Text.Json.Serialization.JsonPropertyName("sequential_10000")] double Sequential10000);
}
