using System.Numerics;
using MlOps.Numerics.Explanations;
using MlOps.Numerics.Tests.Trees;
using MlOps.Numerics.Trees;

namespace MlOps.Numerics.Tests.Explanations;

public class PermutationShapTests
{
    private const int Features = 4;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void They_converge_to_Shapleys_values_over_the_background(int seed)
    {
        var random = new Random(seed);
        var ensemble = TreeEvaluatorTests.Ensemble(random, trees: 5, depth: 5, Features, keep: 0.9);
        var background = Rows(random, 8);
        var row = Rows(random, 1)[0];
        var exact = Enumerable.Range(0, Features).Select(feature => BruteForce(ensemble, row, background, feature)).ToArray();

        var (few, fewErrors, _) = Estimate(ensemble, row, background, pairs: 64, seed);
        var (many, errors, bias) = Estimate(ensemble, row, background, pairs: 8_192, seed);

        for (var feature = 0; feature < Features; feature++)
        {
            // Five standard errors: one failure in a million, and the seed is fixed.
            Assert.True(Math.Abs(few[feature] - exact[feature]) <= 5 * fewErrors[feature] + 1e-9);
            Assert.True(Math.Abs(many[feature] - exact[feature]) <= 5 * errors[feature] + 1e-9);
            Assert.True(errors[feature] <= fewErrors[feature] / 5 + 1e-9);
        }

        Reference.Close(background.Average(one => (double)ensemble.Predict(one)), bias, 1e-9);
    }

    [Fact]
    public void They_converge_to_exact_TreeSHAP_where_features_are_independent()
    {
        // Sums of trees of one split each: what is known of one feature says nothing of another, by cover or by background.
        var trees = new TreeEnsemble([Stump(0, 0.5f, 1, 3, 1, 3), Stump(1, -1, 2, -2, 2, 2), Stump(0, 2, 0, 5, 3, 1)], 10, 2);
        // Feature 0: a quarter below 0.5, three quarters below 2. Feature 1: half below −1.
        float[][] background = [[0, -2], [1, -2], [1, 0], [3, 0]];
        float[] row = [1, 0];
        var exact = new TreeShap(trees).Explain(row);

        var (contributions, _, bias) = Estimate(trees, row, background, pairs: 4, seed: 1);

        Reference.Close(exact.Contributions[0], contributions[0], 1e-12);
        Reference.Close(exact.Contributions[1], contributions[1], 1e-12);
        Reference.Close(exact.Bias, bias, 1e-12);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 7)]
    [InlineData(2, 1)]
    [InlineData(5, 3)]
    [InlineData(70, 2)]
    public void They_add_up_however_few_are_asked_and_the_same_seed_gives_the_same(int features, int pairs)
    {
        var shap = new PermutationShap(features, pairs, seed: 7);
        var again = new PermutationShap(features, pairs, seed: 7);
        double Value(int evaluation) => Math.Exp(Enumerable.Range(0, features)
            .Sum(feature => shap.IsExplained(evaluation, feature) ? 0.1 * feature : 0.03 * shap.BackgroundOf(evaluation)));
        double[] values = [.. Enumerable.Range(0, shap.Evaluations).Select(Value)];
        var (contributions, errors) = (new double[features], new double[features]);

        var bias = shap.Sum(values, contributions, errors);

        Assert.Equal(1 + pairs * (2 * features - 1), shap.Evaluations);
        Reference.Close(values[0], bias + contributions.Sum(), 1e-12);
        Assert.Equal(pairs == 1, double.IsNaN(errors[0]));
        for (var evaluation = 0; evaluation < shap.Evaluations; evaluation++)
            for (var feature = 0; feature < features; feature++)
                Assert.Equal(shap.IsExplained(evaluation, feature), again.IsExplained(evaluation, feature));
    }

    [Fact]
    public void Every_coordinate_of_a_latin_hypercube_meets_every_stratum_once()
    {
        var levels = LatinHypercube.Draw(points: 50, dimensions: 3, seed: 1);

        for (var dimension = 0; dimension < 3; dimension++)
        {
            var strata = Enumerable.Range(0, 50).Select(point => (int)(levels[point * 3 + dimension] * 50)).Order();
            Assert.Equal(Enumerable.Range(0, 50), strata);
        }
    }

    private static (double[] Contributions, double[] Errors, double Bias) Estimate(
        TreeEnsemble ensemble, float[] row, float[][] background, int pairs, int seed)
    {
        var shap = new PermutationShap(row.Length, pairs, seed);
        double[] values = [.. Enumerable.Range(0, shap.Evaluations).Select(evaluation => (double)ensemble.Predict(
            [.. row.Select((value, feature) => shap.IsExplained(evaluation, feature)
                ? value
                : background[shap.BackgroundOf(evaluation) % background.Length][feature])]))];
        var (contributions, errors) = (new double[row.Length], new double[row.Length]);
        var bias = shap.Sum(values, contributions, errors);
        return (contributions, errors, bias);
    }

    /// <summary>Shapley's value with v(S) = mean over the background of the prediction for the row's features in S and the background's else.</summary>
    private static double BruteForce(TreeEnsemble ensemble, float[] row, float[][] background, int feature)
    {
        double Value(uint known) => background.Average(other => (double)ensemble.Predict(
            [.. row.Select((value, i) => (known >> i & 1) != 0 ? value : other[i])]));
        double[] weights = [1 / 4.0, 1 / 12.0, 1 / 12.0, 1 / 4.0]; // |S|!(n−|S|−1)!/n! for n = 4
        return Enumerable.Range(0, 1 << Features).Select(known => (uint)known).Where(known => (known >> feature & 1) == 0)
            .Sum(known => weights[BitOperations.PopCount(known)] * (Value(known | 1u << feature) - Value(known)));
    }

    private static Tree Stump(int feature, float threshold, float left, float right, float leftCover, float rightCover) => new(
        [feature, 0, 0], [threshold, 0, 0], [1, -1, -1], [2, -1, -1], new bool[3], [0, left, right],
        [leftCover + rightCover, leftCover, rightCover], new float[3]);

    private static float[][] Rows(Random random, int count) =>
        [.. Enumerable.Range(0, count).Select(_ => Enumerable.Range(0, Features)
            .Select(_ => random.Next(6) == 0 ? float.NaN : (float)(4 * random.NextDouble() - 2)).ToArray())];
}
