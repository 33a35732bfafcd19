using MlOps.Numerics.Sequential;

namespace MlOps.Numerics.Experiments;

/// <summary>
/// A ratio metric Σx/Σn over units (subjects) of which each has its x and n: an arm's mean, of which a subject with many requests is
/// one piece of evidence. The sums are of n and of y = x − centre·n, so that squares of large values do not swallow the differences.
/// </summary>
/// <param name="Units">Units with n above 0.</param>
/// <param name="Centre">About the mean; the same in all sums that are compared or added.</param>
/// <param name="N">Σn.</param>
/// <param name="Y">Σy.</param>
/// <param name="Yy">Σy².</param>
/// <param name="Yn">Σyn.</param>
/// <param name="Nn">Σn².</param>
public readonly record struct UnitSums(long Units, double Centre, double N, double Y, double Yy, double Yn, double Nn)
{
    /// <summary>Sums of single units, as the log gives them of many.</summary>
    public static UnitSums Of(ReadOnlySpan<(double X, double N)> units, double centre = 0)
    {
        var sums = new UnitSums { Centre = centre };
        foreach (var (x, n) in units)
        {
            var y = x - centre * n;
            sums += new UnitSums(1, centre, n, y, y * y, y * n, n * n);
        }

        return sums;
    }

    public static UnitSums operator +(UnitSums one, UnitSums other) => new(
        one.Units + other.Units, one.Units > 0 ? one.Centre : other.Centre, one.N + other.N, one.Y + other.Y, one.Yy + other.Yy,
        one.Yn + other.Yn, one.Nn + other.Nn);

    /// <summary>Σx/Σn; NaN without units.</summary>
    public double Mean => Units > 0 ? Centre + Y / N : double.NaN;

    /// <summary>Σx.</summary>
    public double X => Y + Centre * N;

    /// <summary>Σ(x − mean·n)², not negative.</summary>
    public double SquaresAbout(double mean)
    {
        var r = mean - Centre;
        return Math.Max(0, Yy - 2 * r * Yn + r * r * Nn);
    }

    /// <summary>
    /// Count of units, mean and its variance by the ratio over units (Cochran 1977, "Sampling techniques", 6.3; the delta method).
    /// Of a share the variance is at least the binomial one at (x + 2)/(n + 4), as suits few events (Agresti and Coull 1998), and
    /// the events are counted.
    /// </summary>
    /// <param name="isShare">Whether x counts those of n that are events.</param>
    public ArmMoments Moments(bool isShare)
    {
        if (Units == 0) return new ArmMoments(0, 0, 0, isShare ? 0 : double.NaN);
        var variance = Units > 1 ? SquaresAbout(Mean) * Units / (Units - 1.0) / (N * N) : 0;
        if (!isShare) return new ArmMoments(Units, Mean, variance);
        var smooth = (X + 2) / (N + 4);
        return new ArmMoments(Units, Mean, Math.Max(variance, smooth * (1 - smooth) / N), X);
    }
}
