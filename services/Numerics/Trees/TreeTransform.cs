namespace MlOps.Numerics.Trees;

/// <summary>What a node of trees does with the scores of a row (attribute post_transform).</summary>
public enum TreeTransform
{
    None,

    /// <summary>1 / (1 + e⁻ˢ) of each.</summary>
    Logistic,

    /// <summary>eˢ / Σ eˢ.</summary>
    Softmax,
}
