namespace MlOps.Numerics.Linear;

/// <summary>Solves A·x = b for a symmetric positive definite A by A = L·Lᵀ.</summary>
internal static class Cholesky
{
    /// <param name="matrix">d × d, row-major; only the lower half is read, and becomes L.</param>
    /// <param name="vector">b, which becomes x.</param>
    /// <param name="size">d.</param>
    /// <exception cref="ArithmeticException">A is not positive definite to working precision.</exception>
    public static void Solve(double[] matrix, double[] vector, int size)
    {
        for (var j = 0; j < size; j++)
        {
            var before = matrix[j * size + j];
            for (var i = j; i < size; i++)
                for (var k = 0; k < j; k++)
                    matrix[i * size + j] -= matrix[i * size + k] * matrix[j * size + k];

            // What is left of the pivot is noise when it is this much smaller than what it was taken from.
            var pivot = matrix[j * size + j];
            if (!(pivot > before * size * 1e-15))
                throw new ArithmeticException($"Column {j} depends on the columns before it; use a penalty above 0.");
            var root = Math.Sqrt(pivot);
            for (var i = j; i < size; i++)
                matrix[i * size + j] /= root;
        }

        for (var i = 0; i < size; i++)
        {
            for (var k = 0; k < i; k++)
                vector[i] -= matrix[i * size + k] * vector[k];
            vector[i] /= matrix[i * size + i];
        }

        for (var i = size - 1; i >= 0; i--)
        {
            for (var k = i + 1; k < size; k++)
                vector[i] -= matrix[k * size + i] * vector[k];
            vector[i] /= matrix[i * size + i];
        }
    }
}
