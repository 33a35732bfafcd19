namespace MlOps.Numerics.Statistics;

/// <summary>
/// P(Dₙ ≤ d) by Pomeranz's recursion (CACM Algorithm 487, 1974). Exact; O(n²·(n·d)), meant for n ≤ 140.
/// </summary>
internal static class PomeranzRecursion
{
    /// <summary>
    /// Knots A₁ = 0, then k + g and k + 1 − g in turn, at last A₂ₙ₊₂ = n, where g is the distance of t = n·d to the
    /// nearest whole number. Row i holds, for each count j of points at most Aᵢ, the volume of the allowed orderings.
    /// The usual factor 1/n per point is put off to the end as n!/nⁿ: nothing then under- or overflows up to n = 140.
    /// </summary>
    public static double Cumulative(int n, double d)
    {
        var t = n * d;
        var whole = (int)Math.Floor(t);
        var part = t - whole;
        var g = Math.Min(part, 1 - part);
        var row = new double[n + 1];
        var previous = new double[n + 1];
        var (from, to) = Window(0, n, whole, part);
        row[0] = 1;
        for (var i = 1; i <= 2 * n + 1; i++)
        {
            (previous, row) = (row, previous);
            Array.Clear(row);
            var step = i == 1 || i == 2 * n + 1 ? g : i % 2 == 0 ? 1 - 2 * g : 2 * g;
            var (nextFrom, nextTo) = Window(i, n, whole, part);
            for (var j = nextFrom; j <= nextTo; j++)
            {
                var term = 1.0;
                for (var added = 0; j - added >= from; term *= step / ++added)
                    if (j - added <= to)
                        row[j] += previous[j - added] * term;
            }

            (from, to) = (nextFrom, nextTo);
        }

        return row[n] * KolmogorovDistribution.FactorialOverPower(n);
    }

    /// <summary>
    /// Counts j with A − t &lt; j + … as ⌊A − t⌋ + 1 ≤ j ≤ ⌈A + t⌉ − 1, decided from the parts of A and t instead of
    /// their rounded sum and difference, which are whole numbers just where it matters.
    /// </summary>
    private static (int From, int To) Window(int i, int n, int whole, double part)
    {
        var isWhole = part == 0;
        var k = (i - 1) / 2;
        var (floor, ceiling) = (i, part) switch
        {
            (0, _) => (-whole - (isWhole ? 0 : 1), whole + (isWhole ? 0 : 1)),
            _ when i == 2 * n + 1 => (n - whole - (isWhole ? 0 : 1), n + whole + (isWhole ? 0 : 1)),
            _ when i % 2 == 1 && part <= 0.5 => (k - whole, k + whole + (isWhole ? 0 : 1)),
            _ when i % 2 == 1 => (k - whole - 1, k + whole + 1),
            _ when part <= 0.5 => (k - whole + (isWhole ? 1 : 0), k + whole + 1),
            _ => (k - whole, k + whole + 2),
        };
        return (Math.Max(0, floor + 1), Math.Min(n, ceiling - 1));
    }
}
