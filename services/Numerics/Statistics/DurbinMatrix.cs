namespace MlOps.Numerics.Statistics;

/// <summary>
/// P(Dₙ ≤ d) as n!/nⁿ times the middle entry of the n-th power of Durbin's matrix (Durbin 1973), raised by squaring
/// (Marsaglia, Tsang and Wang 2003). Exact; O((n·d)³·log n).
/// </summary>
internal static class DurbinMatrix
{
    // Entries are kept below this; powers of two lose nothing.
    private const int ScaleBits = 128;

    public static double Cumulative(long n, double d)
    {
        var k = (int)Math.Ceiling(n * d);
        var size = 2 * k - 1;
        var matrix = Build(size, k - n * d);
        var power = Identity(size);
        var middle = (k - 1) * size + k - 1;
        long matrixBits = 0, powerBits = 0;
        for (var left = n; left > 0; left >>= 1)
        {
            if ((left & 1) == 1)
            {
                power = Multiply(power, matrix, size);
                powerBits += matrixBits + Rescale(power, middle);
            }

            matrix = Multiply(matrix, matrix, size);
            matrixBits = 2 * matrixBits + Rescale(matrix, middle);
        }

        var probability = power[middle];
        for (var i = 1L; i <= n; i++)
        {
            probability = i * probability / n;
            if (probability >= Math.ScaleB(1, -ScaleBits))
                continue;
            probability = Math.ScaleB(probability, ScaleBits);
            powerBits -= ScaleBits;
        }

        return Math.ScaleB(probability, (int)powerBits);
    }

    /// <summary>
    /// Entry (i, j) is 1/(i−j+1)!, less what <paramref name="h"/> takes off the first column and last row.
    /// </summary>
    private static double[] Build(int size, double h)
    {
        var inverseFactorial = new double[size + 1];
        inverseFactorial[0] = 1;
        for (var i = 1; i <= size; i++)
            inverseFactorial[i] = inverseFactorial[i - 1] / i;

        var matrix = new double[size * size];
        for (var i = 0; i < size; i++)
            for (var j = 0; j < size && j <= i + 1; j++)
                matrix[i * size + j] = inverseFactorial[i - j + 1];
        for (var i = 0; i < size; i++)
        {
            var edge = (1 - Math.Pow(h, i + 1)) * inverseFactorial[i + 1];
            matrix[i * size] = edge;
            matrix[(size - 1) * size + size - 1 - i] = edge;
        }

        matrix[(size - 1) * size] =
            (1 - 2 * Math.Pow(h, size) + Math.Pow(Math.Max(0, 2 * h - 1), size)) * inverseFactorial[size];
        return matrix;
    }

    private static double[] Identity(int size)
    {
        var identity = new double[size * size];
        for (var i = 0; i < size; i++)
            identity[i * size + i] = 1;
        return identity;
    }

    private static double[] Multiply(double[] a, double[] b, int size)
    {
        var product = new double[a.Length];
        for (var i = 0; i < size; i++)
            for (var k = 0; k < size; k++)
            {
                var factor = a[i * size + k];
                for (var j = 0; j < size; j++)
                    product[i * size + j] += factor * b[k * size + j];
            }

        return product;
    }

    private static int Rescale(double[] matrix, int middle)
    {
        if (matrix[middle] < Math.ScaleB(1, ScaleBits))
            return 0;
        for (var i = 0; i < matrix.Length; i++)
            matrix[i] = Math.ScaleB(matrix[i], -ScaleBits);
        return ScaleBits;
    }
}
