using MlOps.Numerics.Statistics;

namespace MlOps.Numerics.Tests.Statistics;

public class TwoSampleReferenceTests
{
    public static TheoryData<string> Names => [.. TwoSamples.All.Select(pair => pair.Name)];

    [Theory, MemberData(nameof(Names))]
    public void Kolmogorov_Smirnov_equals_SciPy(string name)
    {
        var pair = Find(name);

        var result = KolmogorovSmirnov.TwoSample(pair.A.Distribution, pair.B.Distribution);

        Assert.Equal(pair.Statistic, result.Statistic);
        Reference.Close(pair.Pvalue, result.PValue, relative: 1e-9, absolute: 1e-300, name);
    }

    [Theory, MemberData(nameof(Names))]
    public void Kolmogorov_Smirnov_is_the_same_from_samples_and_the_other_way_round(string name)
    {
        var pair = Find(name);

        Assert.Equal(
            KolmogorovSmirnov.TwoSample(pair.A.Distribution, pair.B.Distribution),
            KolmogorovSmirnov.TwoSample(pair.B.Samples, pair.A.Samples));
    }

    [Theory, MemberData(nameof(Names))]
    public void Bins_are_Evidentlys(string name)
    {
        var pair = Find(name);

        var bins = PopulationStabilityIndex.Numeric(pair.A.Distribution, pair.B.Distribution).Bins;

        Assert.Equal(pair.ReferenceShares, bins.Select(bin => bin.ReferenceShare));
        Assert.Equal(pair.CurrentShares, bins.Select(bin => bin.CurrentShare));
        if (pair.Edges is { } edges)
            Assert.Equal(edges, bins.Select(bin => bin.Lower).Append(bins[^1].Upper));
    }

    [Theory, MemberData(nameof(Names))]
    public void Distances_equal_SciPys(string name)
    {
        var pair = Find(name);
        var (a, b) = (pair.A.Distribution, pair.B.Distribution);

        Reference.Close(pair.Psi, PopulationStabilityIndex.Numeric(a, b).Value, 1e-12, 1e-15, "psi");
        Reference.Close(pair.JensenShannon, JensenShannon.Numeric(a, b), 1e-9, 1e-8, "Jensen-Shannon");
        Reference.Close(pair.Wasserstein, Wasserstein.Distance(a, b), 1e-10, 1e-12, "Wasserstein");
        Reference.Close(pair.WassersteinNormed, Wasserstein.Normed(a, b), 1e-10, 1e-12, "normed Wasserstein");
    }

    [Theory, MemberData(nameof(Names))]
    public void Moments_and_quantiles_equal_NumPys(string name)
    {
        var pair = Find(name);
        var a = pair.A.Distribution;

        Reference.Close(pair.Mean, a.Mean, 1e-12, 1e-12, "mean");
        Reference.Close(pair.Std, a.StandardDeviation, 1e-12, 1e-12, "standard deviation");
        double[] levels = [0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1];
        Assert.Equal(pair.Quantiles, levels.Select(a.Quantile));
    }

    private static TwoSamples Find(string name) => TwoSamples.All.Single(pair => pair.Name == name);
}
