namespace MlOps.Inference.Explanations;

/// <summary>One row taken apart: bias and contributions add up to the explained value.</summary>
/// <param name="Bias">What the model says on average.</param>
/// <param name="Contributions">One per raw value, in the model's order.</param>
/// <param name="StandardErrors">Parallel to them where they are estimates, else empty.</param>
internal sealed record RowExplanation(double Bias, double[] Contributions, double[] StandardErrors);
