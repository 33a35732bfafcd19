using System.Globalization;
using MlOps.Numerics.Statistics;

namespace MlOps.Numerics.Tests.Statistics;

public class ChiSquareTests
{
    [Fact]
    public void Statistic_and_p_equal_SciPys()
    {
        foreach (var sample in Reference.Load<Counts[]>("chi_square.json"))
        {
            var result = ChiSquare.Categorical(Named(sample.Reference), Named(sample.Current));

            Reference.Close(sample.Statistic, result.Statistic, 1e-11, 1e-12);
            Reference.Close(sample.Pvalue, result.PValue, 1e-9, 1e-300);
        }
    }

    [Fact]
    public void A_category_the_reference_never_had_is_certain_drift() =>
        Assert.Equal(0, ChiSquare.Categorical(Named([5, 5]), Named([5, 5, 1])).PValue);

    [Fact]
    public void One_category_cannot_drift() => Assert.Equal(1, ChiSquare.Categorical(Named([5]), Named([9])).PValue);

    private static Dictionary<string, long> Named(long[] counts) => counts
        .Select((count, i) => (Name: i.ToString(CultureInfo.InvariantCulture), count))
        .ToDictionary(pair => pair.Name, pair => pair.count);

    private sealed record Counts(long[] Reference, long[] Current, double Statistic, double Pvalue);
}
