namespace MlOps.Numerics.Profiles;

/// <summary>How the values of a profiled column are to be compared.</summary>
public enum FeatureKind
{
    Numeric,
    Categorical,
}
