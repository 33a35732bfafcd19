namespace MlOps.Numerics;

/// <summary>A fitted model of one output over a fixed number of float32 features, NaN for a missing one.</summary>
public interface IPredictor
{
    /// <summary>Length of the rows it takes.</summary>
    int FeatureCount { get; }

    /// <summary>The prediction for one row, computed in float32.</summary>
    float Predict(ReadOnlySpan<float> row);
}
