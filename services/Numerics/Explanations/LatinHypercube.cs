namespace MlOps.Numerics.Explanations;

/// <summary>
/// Points whose every coordinate is spread evenly, one in each of n equal strata, and independent of the others
/// (McKay, Beckman and Conover 1979).
/// </summary>
public static class LatinHypercube
{
    /// <returns>points × dimensions, row-major, in [0, 1).</returns>
    public static double[] Draw(int points, int dimensions, int seed)
    {
        var random = new Random(seed);
        var strata = new int[points];
        var levels = new double[points * dimensions];
        for (var i = 0; i < points; i++)
            strata[i] = i;
        for (var dimension = 0; dimension < dimensions; dimension++)
        {
            random.Shuffle(strata);
            for (var point = 0; point < points; point++)
                levels[point * dimensions + dimension] = Math.Min((strata[point] + random.NextDouble()) / points, Math.BitDecrement(1));
        }

        return levels;
    }
}
