using System.Text.Json;
using MlOps.Numerics.Statistics;

namespace MlOps.Numerics.Tests;

/// <summary>Reads the values References/make.py and make_xgboost.py wrote.</summary>
internal static class Reference
{
    private static readonly JsonSerializerOptions Options =
        new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public static T Load<T>(string name) => JsonSerializer.Deserialize<T>(Bytes(name), Options)!; // our own files

    public static byte[] Bytes(string name) =>
        File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "References", name));

    /// <summary>Equal to a relative error, or to an absolute one near zero.</summary>
    public static void Close(double expected, double actual, double relative, double absolute = 0,
        string? about = null) =>
        Assert.True(
            Math.Abs(expected - actual) <= Math.Max(absolute, relative * Math.Abs(expected)) || expected.Equals(actual),
            $"{about}: expected {expected:R}, got {actual:R}");
}

internal sealed record Counted(double[] Values, long[] Counts)
{
    public EmpiricalDistribution Distribution => EmpiricalDistribution.FromCounts(Values, Counts);

    public double[] Samples =>
        [.. Values.Zip(Counts, (value, count) => Enumerable.Repeat(value, (int)count)).SelectMany(run => run)];
}

internal sealed record TwoSamples(
    string Name, Counted A, Counted B, double Statistic, double Pvalue, double[]? Edges, double[] ReferenceShares,
    double[] CurrentShares, double Psi, double JensenShannon, double Wasserstein, double WassersteinNormed,
    double Mean, double Std, double[] Quantiles)
{
    public static IReadOnlyList<TwoSamples> All { get; } = Reference.Load<TwoSamples[]>("two_samples.json");
}
