namespace MlOps.Numerics.Statistics;

/// <summary>
/// Jensen-Shannon distance, the square root of the divergence in natural logarithms: 0 for equal samples, at most
/// √ln 2 ≈ 0.8326. Bins as for the population stability index; empty ones stay empty.
/// </summary>
public static class JensenShannon
{
    /// <inheritdoc cref="PopulationStabilityIndex.Numeric"/>
    public static double Numeric(EmpiricalDistribution reference, EmpiricalDistribution current) =>
        Distance(SharedBins.Numeric(reference, current));

    /// <inheritdoc cref="PopulationStabilityIndex.Categorical"/>
    public static double Categorical(
        IReadOnlyDictionary<string, long> reference, IReadOnlyDictionary<string, long> current) =>
        Distance(SharedBins.Categorical(reference, current));

    private static double Distance(Bin[] bins)
    {
        var sum = new CompensatedSum();
        foreach (var bin in bins)
        {
            var middle = (bin.ReferenceShare + bin.CurrentShare) / 2;
            sum.Add(RelativeEntropy(bin.ReferenceShare, middle));
            sum.Add(RelativeEntropy(bin.CurrentShare, middle));
        }

        return Math.Sqrt(Math.Max(0, sum.Value) / 2);
    }

    private static double RelativeEntropy(double share, double middle) =>
        share == 0 ? 0 : share * Math.Log(share / middle);
}
