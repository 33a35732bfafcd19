namespace MlOps.Numerics.Linear;

/// <summary>ŷ = intercept + Σ coefficientⱼ·xⱼ, kept in double, predicted in float32.</summary>
public sealed record LinearModel(double[] Coefficients, double Intercept) : IPredictor
{
    public int FeatureCount => Coefficients.Length;

    /// <summary>
    /// Within a few float32 roundings of ONNX Runtime's LinearRegressor, whose order of summation is its own.
    /// </summary>
    public float Predict(ReadOnlySpan<float> row)
    {
        if (row.Length != Coefficients.Length)
            throw new ArgumentException(
                $"The model takes {Coefficients.Length} features, not {row.Length}.", nameof(row));
        var sum = 0f;
        for (var j = 0; j < row.Length; j++)
            sum += row[j] * (float)Coefficients[j];
        return sum + (float)Intercept;
    }
}
