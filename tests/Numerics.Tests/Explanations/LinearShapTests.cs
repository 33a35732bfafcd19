using MlOps.Numerics.Explanations;
using MlOps.Numerics.Linear;

namespace MlOps.Numerics.Tests.Explanations;

public class LinearShapTests
{
    private static readonly LinearModel Model = new([2, -3, 0.5], 10);

    [Fact]
    public void Each_feature_contributes_its_distance_from_the_mean()
    {
        var explanation = new LinearShap(Model, [1, 2, 4]).Explain([3, 2, 0]);

        Assert.Equal([4d, 0, -2], explanation.Contributions);
        Assert.Equal(8, explanation.Bias);
        Assert.Equal(Model.Predict([3, 2, 0]), explanation.Total, 6);
    }

    [Fact]
    public void Means_and_rows_of_another_width_are_refused()
    {
        Assert.Throws<ArgumentException>(() => new LinearShap(Model, [1, 2]));
        Assert.Throws<ArgumentException>(() => new LinearShap(Model, [1, 2, 3]).Explain([1]));
    }
}
