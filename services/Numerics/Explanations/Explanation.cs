namespace MlOps.Numerics.Explanations;

/// <summary>One prediction taken apart: the bias and the contributions add up to it.</summary>
/// <param name="Bias">What the model is expected to say of a row nothing is known of.</param>
/// <param name="Contributions">Per feature, in the unit of the prediction.</param>
public sealed record Explanation(double Bias, double[] Contributions)
{
    /// <summary>Bias and contributions together: the prediction, within rounding.</summary>
    public double Total => Bias + Contributions.Sum();
}
