using MlOps.Numerics.Linear;

namespace MlOps.Numerics.Tests.Linear;

public class RidgeRegressionTests
{
    [Fact]
    public void Coefficients_equal_those_of_an_orthogonal_factorisation()
    {
        foreach (var fit in Reference.Load<Fit[]>("ridge.json"))
        {
            var model = RidgeRegression.Fit(fit.Design, fit.Labels, fit.Width, fit.Penalty);

            for (var j = 0; j < fit.Width; j++)
                Reference.Close(fit.Coefficients[j], model.Coefficients[j], 1e-8, 1e-10);
            Reference.Close(fit.Intercept, model.Intercept, 1e-8);
        }
    }

    [Fact]
    public void Columns_that_depend_on_each_other_need_a_penalty()
    {
        double[] design = [1, 2, 3, 6, -1, -2, 5, 10];
        double[] labels = [3, 7, -2, 11];

        Assert.Throws<ArithmeticException>(() => RidgeRegression.Fit(design, labels, 2, 0));
        var model = RidgeRegression.Fit(design, labels, 2, 1e-3);
        Assert.Equal(2 * model.Coefficients[0], model.Coefficients[1], 9);
    }

    [Fact]
    public void Predictions_follow_the_coefficients_and_the_width_is_checked()
    {
        var model = new LinearModel([2, -1], 0.5);

        Assert.Equal(4.5f, model.Predict([3, 2]));
        Assert.Throws<ArgumentException>(() => model.Predict([3]));
    }

    [Fact]
    public void A_missing_cell_is_refused() =>
        Assert.Throws<ArgumentException>(() => RidgeRegression.Fit([1f, float.NaN], [1f, 2f], 1, 1));

    private sealed record Fit(
        int Width, double Penalty, double[] Design, double[] Labels, double[] Coefficients, double Intercept);
}
