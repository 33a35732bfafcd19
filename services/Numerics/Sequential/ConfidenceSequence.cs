namespace MlOps.Numerics.Sequential;

/// <summary>
/// Intervals about an estimate that hold at every look at once: the chance that the truth is ever outside is at most
/// <see cref="Alpha"/>, however often and whenever one looks. Asymptotic: for an estimate that is nearly normal with an
/// estimated standard error, hence not for the first few observations. (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas
/// 2021, "Time-uniform central limit theory and asymptotic confidence sequences": the two-sided and the one-sided Gaussian
/// mixture boundaries; ρ by their tuning rule, as in GrowthBook's sequential engine.)
/// </summary>
public sealed class ConfidenceSequence
{
    private readonly double _twoSided;
    private readonly double _oneSided;

    /// <param name="alpha">Chance of ever being wrong, between 0 and 0.5.</param>
    /// <param name="tunedFor">Number of observations N* at which the intervals are tightest, above 0.</param>
    public ConfidenceSequence(double alpha = 0.05, double tunedFor = 5_000)
    {
        if (!(alpha > 0 && alpha < 0.5))
            throw new ArgumentOutOfRangeException(nameof(alpha), alpha, "Alpha lies between 0 and 0.5.");
        if (!(tunedFor > 0 && double.IsFinite(tunedFor)))
            throw new ArgumentOutOfRangeException(nameof(tunedFor), tunedFor, "N* is above 0.");
        (Alpha, TunedFor) = (alpha, tunedFor);
        _twoSided = RhoSquared(alpha, tunedFor);
        _oneSided = RhoSquared(2 * alpha, tunedFor);
    }

    public double Alpha { get; }

    public double TunedFor { get; }

    /// <summary>se·√N·√(2(Nρ² + 1)/(Nρ)²·ln(√(Nρ² + 1)/α)); infinite before the first observation.</summary>
    /// <param name="observations">N, of both arms together.</param>
    /// <param name="standardError">se of the estimate from these N observations.</param>
    public double HalfWidth(double observations, double standardError)
    {
        var information = observations * _twoSided;
        return Width(information, standardError, Math.Log(Math.Sqrt(information + 1) / Alpha));
    }

    /// <summary>
    /// Below the estimate for a lower bound, or above it for an upper one, only one of which may be used:
    /// se·√N·√(2(Nρ² + 1)/(Nρ)²·ln(1 + √(Nρ² + 1)/(2α))), ρ for 2α.
    /// </summary>
    /// <inheritdoc cref="HalfWidth"/>
    public double OneSidedHalfWidth(double observations, double standardError)
    {
        var information = observations * _oneSided;
        return Width(information, standardError, Math.Log(1 + Math.Sqrt(information + 1) / (2 * Alpha)));
    }

    /// <summary>
    /// Always-valid p of "the effect is zero": min(1, √(Nρ² + 1)·exp(−ρ²·N·Δ²/se²/(2(Nρ² + 1)))). At most α just where
    /// the interval leaves out zero.
    /// </summary>
    public double PValue(double observations, double estimate, double standardError)
    {
        var information = observations * _twoSided;
        return Math.Min(1, Math.Sqrt(information + 1) * Math.Exp(-Evidence(information, estimate, standardError)));
    }

    /// <summary>
    /// Always-valid p of "the effect is not above zero", from the one-sided boundary: √(Nρ² + 1)/(2(exp(…) − 1)); one
    /// where the estimate is not above zero.
    /// </summary>
    public double OneSidedPValue(double observations, double estimate, double standardError)
    {
        if (!(estimate > 0))
            return 1;
        var information = observations * _oneSided;
        var odds = double.ExpM1(Evidence(information, estimate, standardError));
        return odds > 0 ? Math.Min(1, Math.Sqrt(information + 1) / (2 * odds)) : 1;
    }

    private static double Width(double information, double standardError, double logarithm) =>
        information > 0
            ? standardError * Math.Sqrt(2 * (information + 1) / information * logarithm)
            : double.PositiveInfinity;

    private static double Evidence(double information, double estimate, double standardError) =>
        estimate == 0 || !(information > 0) ? 0
            : information / (2 * (information + 1)) * (estimate / standardError) * (estimate / standardError);

    /// <summary>ρ² = (−2 ln α + ln(−2 ln α + 1))/N*.</summary>
    private static double RhoSquared(double alpha, double tunedFor)
    {
        var doubled = -2 * Math.Log(alpha);
        return (doubled + Math.Log(doubled + 1)) / tunedFor;
    }
}
