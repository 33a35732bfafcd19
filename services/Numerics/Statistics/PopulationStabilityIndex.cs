namespace MlOps.Numerics.Statistics;

/// <summary>
/// Σ (rᵢ − cᵢ)·ln(rᵢ/cᵢ) over the bins of a reference and a current sample, bins and the filling of empty ones as in
/// Evidently. Usual reading: below 0.1 stable, to 0.25 moderate, above major.
/// </summary>
public static class PopulationStabilityIndex
{
    /// <summary>The index with the bins it was taken over, ready for a chart.</summary>
    public sealed record Result(double Value, IReadOnlyList<Bin> Bins);

    /// <summary>
    /// Sturges' intervals over the pooled sample when the reference has more than 20 distinct values, else single
    /// values.
    /// </summary>
    /// <exception cref="ArgumentException">A sample has no finite value.</exception>
    public static Result Numeric(EmpiricalDistribution reference, EmpiricalDistribution current) =>
        Of(SharedBins.Numeric(reference, current));

    /// <summary>One bin per category seen in either sample.</summary>
    /// <exception cref="ArgumentException">A sample has no counts, or a count is negative.</exception>
    public static Result Categorical(
        IReadOnlyDictionary<string, long> reference, IReadOnlyDictionary<string, long> current) =>
        Of(SharedBins.Categorical(reference, current));

    private static Result Of(Bin[] bins)
    {
        var emptyReference = FillFor(bins.Select(bin => bin.ReferenceShare));
        var emptyCurrent = FillFor(bins.Select(bin => bin.CurrentShare));
        var sum = new CompensatedSum();
        foreach (var bin in bins)
        {
            var reference = bin.ReferenceShare == 0 ? emptyReference : bin.ReferenceShare;
            var current = bin.CurrentShare == 0 ? emptyCurrent : bin.CurrentShare;
            sum.Add((reference - current) * Math.Log(reference / current));
        }

        return new Result(sum.Value, bins);
    }

    /// <summary>
    /// What stands for an empty bin: 0.0001, or a millionth of the least share where that is no larger.
    /// </summary>
    private static double FillFor(IEnumerable<double> shares)
    {
        var least = shares.Where(share => share > 0).Min();
        return least <= 0.0001 ? least / 1e6 : 0.0001;
    }
}
