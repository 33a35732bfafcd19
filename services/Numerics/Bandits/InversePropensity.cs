namespace MlOps.Numerics.Bandits;

/// <summary>
/// What one arm answered while its share of the traffic was constant: how many requests came for all arms together, the arm's
/// probability of getting each, and the count, sum and sum of squares of its own rewards.
/// </summary>
public readonly record struct PropensityBatch(
    long Requests, double Propensity, long Count, double Sum, double SumOfSquares);

/// <summary>
/// The mean reward an arm would have had on all of the traffic, from a split that followed the rewards. The plain mean of
/// what it answered is biased then: an arm that starts unluckily is asked less and never recovers.
/// </summary>
public static class InversePropensity
{
    /// <summary>
    /// Unbiased: Σ y/p over all requests N (Horvitz and Thompson 1952), with its standard error. NaN without requests.
    /// </summary>
    /// <exception cref="ArgumentException">A propensity is not in (0, 1].</exception>
    public static (double Estimate, double StandardError) HorvitzThompson(ReadOnlySpan<PropensityBatch> batches)
    {
        Check(batches);
        var (requests, sum, squares) = (0.0, 0.0, 0.0);
        foreach (var batch in batches)
        {
            requests += batch.Requests;
            sum += batch.Sum / batch.Propensity;
            squares += batch.SumOfSquares / batch.Propensity / batch.Propensity;
        }

        // A request another arm answered counts with the value 0.
        var estimate = sum / requests;
        return (estimate, Math.Sqrt(Math.Max(0, squares - requests * estimate * estimate)) / requests);
    }

    /// <summary>
    /// Σ y/p over Σ 1/p (Hájek 1971): a bias that vanishes as 1/N, and as a rule a much smaller error, for the chance in how
    /// many requests the arm got falls out. The standard error is that of the ratio, linearised. NaN without answers.
    /// </summary>
    /// <inheritdoc cref="HorvitzThompson"/>
    public static (double Estimate, double StandardError) Hajek(ReadOnlySpan<PropensityBatch> batches)
    {
        Check(batches);
        var (weight, sum) = (0.0, 0.0);
        foreach (var batch in batches)
        {
            weight += batch.Count / batch.Propensity;
            sum += batch.Sum / batch.Propensity;
        }

        var estimate = sum / weight;
        var squares = 0.0;
        foreach (var batch in batches)
        {
            var apart = batch.SumOfSquares - 2 * estimate * batch.Sum + estimate * estimate * batch.Count;
            squares += Math.Max(0, apart) / batch.Propensity / batch.Propensity;
        }

        return (estimate, Math.Sqrt(squares) / weight);
    }

    private static void Check(ReadOnlySpan<PropensityBatch> batches)
    {
        foreach (var batch in batches)
            if (!(batch.Propensity > 0 && batch.Propensity <= 1))
                throw new ArgumentException("A propensity lies above 0 and is at most 1.", nameof(batches));
    }
}
