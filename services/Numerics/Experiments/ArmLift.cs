using MlOps.Numerics.Sequential;

namespace MlOps.Numerics.Experiments;

/// <summary>
/// An arm beside the control: the difference of the means and the lift, treatment/control − 1, each with an interval that holds at
/// every look at once. The lift's is unbounded (NaN) where the control's mean is not told from zero.
/// </summary>
/// <param name="Difference">Treatment − control.</param>
/// <param name="StandardError">Of the difference.</param>
/// <param name="Observations">What the difference is worth, in subjects of both arms of an even split.</param>
/// <param name="Lower">Of the difference.</param>
/// <param name="Upper">Of the difference.</param>
/// <param name="PValue">Always valid: of "there is no difference".</param>
/// <param name="Lift">A share of the control's mean.</param>
/// <param name="LiftLower">NaN: there is no bound.</param>
/// <param name="LiftUpper">NaN: there is no bound.</param>
public readonly record struct ArmLift(
    double Difference, double StandardError, double Observations, double Lower, double Upper, double PValue, double Lift,
    double LiftLower, double LiftUpper)
{
    /// <param name="control">Its mean and the variance of it.</param>
    /// <param name="treatment">The same of the other arm.</param>
    /// <param name="contrast">Treatment − control.</param>
    /// <param name="sequence">Level and tuning of the intervals.</param>
    public static ArmLift Of(ArmMoments control, ArmMoments treatment, Contrast contrast, ConfidenceSequence sequence)
    {
        var (difference, error, n) = contrast;
        var width = sequence.HalfWidth(n, error);
        var (low, high) = LiftBounds(control, treatment, sequence.HalfWidth(n, 1));
        return new ArmLift(
            difference, error, n, difference - width, difference + width, sequence.PValue(n, difference, error),
            control.Mean == 0 ? double.NaN : difference / Math.Abs(control.Mean), low, high);
    }

    /// <summary>
    /// All g = treatment/control with |t − g·c| ≤ k·√(var t + g²·var c): the tests of "the ratio is g" turned about (Fieller
    /// 1954), each of which holds at every look, and so do all at once.
    /// </summary>
    private static (double Lower, double Upper) LiftBounds(ArmMoments control, ArmMoments treatment, double k)
    {
        var (c, t) = (control.Mean, treatment.Mean);
        var a = c * c - k * k * control.MeanVariance;
        if (!(a > 0) || !double.IsFinite(a)) return (double.NaN, double.NaN);
        var root = Math.Sqrt(Math.Max(0, c * c * t * t - a * (t * t - k * k * treatment.MeanVariance)));
        var (low, high) = ((c * t - root) / a - 1, (c * t + root) / a - 1);
        // Of a negative mean a share of its size: what is greater is a lift.
        return c > 0 ? (low, high) : (-high, -low);
    }
}
