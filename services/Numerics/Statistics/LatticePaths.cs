namespace MlOps.Numerics.Statistics;

/// <summary>
/// The exact null law of the two-sample statistic: the share of lattice paths from (0, 0) to (n, m) that touch or leave
/// the band |x/n − y/m| &lt; h/lcm(n, m) (Hodges 1958, "The significance probability of the Smirnov two-sample test").
/// </summary>
internal static class LatticePaths
{
    /// <summary>
    /// Walks the band column by column. The share that touched on the way to (i, j) is the mean of the shares at
    /// (i−1, j) and (i, j−1), weighted i to j: a uniformly drawn path takes its last step in x with chance i/(i+j).
    /// Shares are added, never subtracted, so that the smallest p keeps its digits. O(n·m·h/lcm).
    /// </summary>
    public static double ShareOutside(long n, long m, long divisor, long h)
    {
        var (columns, rows) = (Math.Max(n, m), Math.Min(n, m));
        var (columnStep, rowStep) = (rows / divisor, columns / divisor);
        var touched = new double[rows + 1];
        Array.Fill(touched, 1);
        // The first column: straight up, inside while y·rowStep < h.
        touched.AsSpan(0, (int)Math.Min(rows, (h - 1) / rowStep) + 1).Clear();
        for (var i = 1L; i <= columns; i++)
        {
            var low = Math.Max(0, FloorDivide(i * columnStep - h, rowStep) + 1);
            var high = Math.Min(rows, (i * columnStep + h - 1) / rowStep);
            if (low > high)
                return 1;

            var share = low == 0 ? 0.0 : 1.0;
            for (var j = low; j <= high; j++)
                touched[j] = share = (touched[j] * i + share * j) / (i + j);
        }

        return touched[rows];
    }

    /// <summary>
    /// Samples of one size: 2·Σ (−1)^(k+1)·C(2n, n−kh)/C(2n, n) by reflection (Gnedenko and Korolyuk 1951),
    /// nested from the innermost term. O(n).
    /// </summary>
    public static double ShareOutsideSquare(long n, long h)
    {
        var share = 0.0;
        for (var k = n / h; k >= 0; k--)
        {
            var ratio = 1.0;
            for (var j = 0L; j < h; j++)
                ratio = (n - k * h - j) * ratio / (n + k * h + j + 1);
            share = ratio * (1 - share);
        }

        return 2 * share;
    }

    private static long FloorDivide(long a, long b) => a >= 0 ? a / b : -((-a + b - 1) / b);
}
