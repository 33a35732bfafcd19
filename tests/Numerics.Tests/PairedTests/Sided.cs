using MlOps.Numerics.Statistics;

namespace MlOps.Numerics.Tests.PairedTests;

/// <summary>A result of SciPy in its own words.</summary>
internal sealed record Sided(string Alternative, double Statistic, double Pvalue, string? Zeros = null)
{
    public Alternative Kind => Alternative switch
    {
        "greater" => Numerics.Statistics.Alternative.Greater,
        "less" => Numerics.Statistics.Alternative.Less,
        _ => Numerics.Statistics.Alternative.TwoSided,
    };
}
