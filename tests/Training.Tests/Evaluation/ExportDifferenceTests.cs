using MlOps.Training.Evaluation;

namespace MlOps.Training.Tests.Evaluation;

public sealed class ExportDifferenceTests
{
    [Fact]
    public void Equal_predictions_differ_by_nothing_even_when_they_are_not_numbers() =>
        Assert.Equal(default, ExportDifference.Between([1, float.NaN, -3], [1, float.NaN, -3]));

    [Fact]
    public void A_number_against_none_is_no_match() =>
        Assert.False(ExportDifference.Between([float.NaN], [1]).IsTolerable);

    [Fact]
    public void Small_values_are_measured_absolutely_and_large_ones_relatively()
    {
        Assert.False(ExportDifference.Between([0.001f], [0.0f]).IsTolerable);
        Assert.True(ExportDifference.Between([100_001f], [100_000f]).IsTolerable);
        Assert.Equal(1, ExportDifference.Between([100_001f], [100_000f]).Absolute);
    }
}
