namespace MlOps.Numerics.Statistics;

/// <summary>
/// First Wasserstein (earth mover's) distance: the area between two empirical distribution functions.
/// </summary>
public static class Wasserstein
{
    private const double LeastDeviation = 0.001;

    /// <summary>In the unit of the values.</summary>
    /// <exception cref="ArgumentException">A sample has no finite value.</exception>
    public static double Distance(EmpiricalDistribution reference, EmpiricalDistribution current)
    {
        if (reference.Total == 0 || current.Total == 0)
            throw new ArgumentException("Each sample needs at least one finite value.", nameof(reference));

        var area = new CompensatedSum();
        var pairs = new CumulativePairs(reference, current);
        pairs.MoveNext();
        for (var (from, gap) = (pairs.Value, Gap(pairs)); pairs.MoveNext(); (from, gap) = (pairs.Value, Gap(pairs)))
            area.Add(gap * (pairs.Value - from));
        return area.Value;

        double Gap(CumulativePairs at) =>
            Math.Abs((double)at.Current.A / reference.Total - (double)at.Current.B / current.Total);
    }

    /// <summary>
    /// In standard deviations of the reference, which count as at least 0.001 (Evidently's normed form).
    /// </summary>
    /// <exception cref="ArgumentException">A sample has no finite value.</exception>
    public static double Normed(EmpiricalDistribution reference, EmpiricalDistribution current) =>
        Distance(reference, current) / Math.Max(reference.StandardDeviation, LeastDeviation);
}
