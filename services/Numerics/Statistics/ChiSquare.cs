namespace MlOps.Numerics.Statistics;

/// <summary>
/// Pearson's chi-square test of the current categories against what the reference leads to expect: reference counts
/// scaled to the current total.
/// </summary>
public static class ChiSquare
{
    /// <summary>
    /// Degrees of freedom are the categories seen in either sample less one. A category the reference never had makes
    /// the statistic infinite and p zero; a single category leaves nothing to test and p is one.
    /// </summary>
    /// <exception cref="ArgumentException">A sample has no counts, or a count is negative.</exception>
    public static TestResult Categorical(
        IReadOnlyDictionary<string, long> reference, IReadOnlyDictionary<string, long> current)
    {
        var bins = SharedBins.Categorical(reference, current);
        var total = current.Values.Sum();
        var sum = new CompensatedSum();
        foreach (var bin in bins)
        {
            if (bin.ReferenceShare == 0)
                return new TestResult(double.PositiveInfinity, 0);
            var apart = bin.CurrentShare - bin.ReferenceShare;
            sum.Add(total * (apart / bin.ReferenceShare) * apart);
        }

        var p = bins.Length == 1 ? 1 : IncompleteGamma.Upper((bins.Length - 1) / 2.0, sum.Value / 2);
        return new TestResult(sum.Value, p);
    }
}
