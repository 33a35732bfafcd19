namespace MlOps.Numerics.Statistics;

/// <summary>What a test speaks for when it refuses "no difference".</summary>
public enum Alternative
{
    /// <summary>The first differs from the second in either direction.</summary>
    TwoSided,

    /// <summary>The first tends to be greater than the second.</summary>
    Greater,

    /// <summary>The first tends to be less than the second.</summary>
    Less,
}
