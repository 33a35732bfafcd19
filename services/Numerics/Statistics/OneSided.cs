namespace MlOps.Numerics.Statistics;

/// <summary>
/// P(Dₙ⁺ ≥ d) = d·Σⱼ C(n, j)·(d + j/n)^(j−1)·(1 − d − j/n)^(n−j), j = 0 … ⌊n(1 − d)⌋ (Birnbaum and Tingey 1951).
/// All terms are positive, each a binomial density, so that the digits hold for every n. O(n).
/// </summary>
internal static class OneSided
{
    public static double Survival(long n, double d)
    {
        var sum = new CompensatedSum();
        for (var j = 0L; j < n; j++)
        {
            var expected = j + n * d;
            if (expected >= n)
                break;
            sum.Add(BinomialDensity.At(j, n, expected) * (n * d / expected));
        }

        return sum.Value;
    }
}
