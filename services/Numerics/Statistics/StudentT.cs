namespace MlOps.Numerics.Statistics;

/// <summary>Student's t distribution (Student 1908).</summary>
internal static class StudentT
{
    /// <summary>P(T &gt; t) with <paramref name="degrees"/> &gt; 0 of freedom.</summary>
    public static double Survival(double t, double degrees)
    {
        if (t < 0)
            return 1 - Survival(-t, degrees);
        return IncompleteBeta.Lower(degrees / 2, 0.5, degrees / (degrees + t * t)) / 2;
    }
}
