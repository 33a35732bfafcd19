namespace MlOps.Numerics.Onnx;

/// <summary>What a graph does with the sums of its model before it answers them.</summary>
public enum ScoreLink
{
    /// <summary>Nothing.</summary>
    Identity,

    /// <summary>1 / (1 + e⁻ˢ).</summary>
    Logistic,

    /// <summary>eˢ / Σ eˢ over the sums of a row.</summary>
    Softmax,

    /// <summary>eˢ.</summary>
    Exponential,
}
