using MlOps.Numerics.Profiles;

namespace MlOps.Inference.Tests;

/// <summary>Reference profiles of the sample graphs.</summary>
internal static class Profiles
{
    /// <summary>Distances 0 to 1000 (some missing), hours 0 to 23 (none), origins ATL and ORD; median hour 11.5, most are ATL.</summary>
    public static ReferenceProfile Delay { get; } = new()
    {
        Features =
        [
            FeatureProfile.Numeric("distance", [.. Enumerable.Range(0, 101).Select(i => i * 10d), double.NaN]),
            FeatureProfile.Numeric("hour", [.. Enumerable.Range(0, 24).Select(i => (double)i)]),
            FeatureProfile.Categorical("origin", ["ATL", "ORD", "ATL"]),
        ],
    };
}
