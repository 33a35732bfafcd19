using System.Numerics;
using MlOps.Numerics.Explanations;
using MlOps.Numerics.Tests.Trees;
using MlOps.Numerics.Trees;

namespace MlOps.Numerics.Tests.Explanations;

public class TreeShapTests
{
    [Theory]
    [InlineData(1, 3, 1, true)]
    [InlineData(2, 6, 4, true)]
    [InlineData(3, 12, 3, true)] // features come again on the same path
    [InlineData(4, 5, 7, true)]
    [InlineData(5, 12, 3, false)]
    [InlineData(6, 5, 7, false)]
    public void Contributions_are_Shapleys_by_definition(int seed, int depth, int features, bool hasTables)
    {
        var random = new Random(seed);
        var ensemble = TreeEvaluatorTests.Ensemble(random, trees: 6, depth, features, keep: 0.8);
        var shap = new TreeShap(ensemble, hasTables ? long.MaxValue : 0);
        for (var i = 0; i < 20; i++)
        {
            var row = Row(random, features);

            var explanation = shap.Explain(row);

            for (var feature = 0; feature < features; feature++)
                Reference.Close(BruteForce(ensemble, row, feature), explanation.Contributions[feature], 1e-8, 1e-10);
            Reference.Close(Expectation(ensemble, row, 0), explanation.Bias, 1e-12);
        }
    }

    [Fact]
    public void They_are_XGBoosts_within_its_single_precision()
    {
        var (ensemble, rows, _) = XgboostReference.Load();
        var expected = Reference.Load<double[][]>("xgboost_contributions.json");
        var shap = new TreeShap(ensemble);

        foreach (var (row, contributions) in rows.Chunk(5).Zip(expected))
        {
            var explanation = shap.Explain(row);
            foreach (var (theirs, ours) in contributions.Zip([.. explanation.Contributions, explanation.Bias]))
                Reference.Close(theirs, ours, 1e-4, 1e-4);
        }
    }

    [Fact]
    public void They_add_up_to_the_prediction()
    {
        var (ensemble, rows, predictions) = XgboostReference.Load();
        var shap = new TreeShap(ensemble);

        foreach (var (row, prediction) in rows.Chunk(5).Zip(predictions))
            Reference.Close(prediction, shap.Explain(row).Total, 1e-5);
    }

    [Fact]
    public void Deep_trees_of_few_features_stay_exact()
    {
        var random = new Random(9);
        var ensemble = TreeEvaluatorTests.Ensemble(random, trees: 4, depth: 25, features: 6, keep: 0.75);
        var shap = new TreeShap(ensemble);
        for (var i = 0; i < 30; i++)
        {
            var row = Row(random, 6);
            Reference.Close(ensemble.Predict(row), shap.Explain(row).Total, 1e-5);
        }
    }

    [Theory]
    [InlineData(1, 4, 9)]
    [InlineData(2, 9, 30)]
    [InlineData(3, 16, 12)] // leaves of more features than a table has
    public void Read_out_of_tables_or_walked_they_are_the_same(int seed, int depth, int features)
    {
        var random = new Random(seed);
        var ensemble = TreeEvaluatorTests.Ensemble(random, trees: 5, depth, features, keep: 0.8);
        var (read, walked, some) = (new TreeShap(ensemble), new TreeShap(ensemble, 0), new TreeShap(ensemble, 20_000));
        float[] design = [.. Enumerable.Range(0, 40).SelectMany(_ => Row(random, features)), .. Extremes(features)];
        var (ours, theirs, mixed) = (new double[design.Length], new double[design.Length], new double[design.Length]);

        var bias = read.Explain(design, ours);
        walked.Explain(design, theirs);
        some.Explain(design, mixed);

        for (var i = 0; i < design.Length; i++)
        {
            Reference.Close(theirs[i], ours[i], 1e-9, 1e-11);
            Reference.Close(theirs[i], mixed[i], 1e-9, 1e-11);
        }

        for (var row = 0; row < design.Length; row += features)
        {
            var alone = read.Explain(design.AsSpan(row, features));
            Assert.Equal(alone.Contributions, ours.AsSpan(row, features).ToArray());
            Assert.Equal(alone.Bias, bias);
        }
    }

    [Fact]
    public void Where_no_training_row_went_nothing_is_divided_by_zero()
    {
        var tree = new Tree([0, 0, 0, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0], [1, -1, 3, 5, -1, -1, -1],
            [2, -1, 4, 6, -1, -1, -1], new bool[7], [0, 1, 0, 0, 4, 2, 3], [5, 5, 0, 0, 0, 0, 0], new float[7]);
        var broken = new TreeEnsemble([tree], 0, 2);
        var sound = new TreeEnsemble([tree with { Cover = [5, 5, 0, 0, 0, 0, 0], Left = [1, -1, -1, -1, -1, -1, -1] }], 0, 2);

        Assert.Throws<ArgumentException>(() => new TreeShap(broken));
        Assert.Equal(0, new TreeShap(sound).Explain([1, 1]).Total);
        Assert.Equal(1, new TreeShap(sound).Explain([-1, 1]).Total);
    }

    [Fact]
    public void Base_score_alone_is_all_bias()
    {
        var explanation = new TreeShap(new TreeEnsemble([Tree.Constant(2)], 4.25f, 2)).Explain([1, float.NaN]);

        Assert.Equal(6.25, explanation.Bias);
        Assert.Equal([0d, 0d], explanation.Contributions);
    }

    private static float[] Extremes(int features) =>
    [
        .. Enumerable.Repeat(float.PositiveInfinity, features), .. Enumerable.Repeat(float.NegativeInfinity, features),
        .. Enumerable.Repeat(float.NaN, features),
    ];

    private static float[] Row(Random random, int features) =>
        [.. Enumerable.Range(0, features)
            .Select(_ => random.Next(5) == 0 ? float.NaN : (float)(4 * random.NextDouble() - 2))];

    /// <summary>φᵢ = Σ over subsets S without i of |S|!(n−|S|−1)!/n! · (v(S ∪ i) − v(S)).</summary>
    private static double BruteForce(TreeEnsemble ensemble, float[] row, int feature)
    {
        var n = row.Length;
        var phi = 0d;
        for (var known = 0u; known < 1u << n; known++)
        {
            if ((known >> feature & 1) != 0)
                continue;
            var size = BitOperations.PopCount(known);
            phi += Factorial(size) * Factorial(n - size - 1) / Factorial(n)
                * (Expectation(ensemble, row, known | 1u << feature) - Expectation(ensemble, row, known));
        }

        return phi;
    }

    private static double Factorial(int n) => n <= 1 ? 1 : n * Factorial(n - 1);

    /// <summary>What the ensemble is expected to say when only these features are known (Algorithm 1).</summary>
    private static double Expectation(TreeEnsemble ensemble, float[] row, uint known) =>
        ensemble.BaseScore + ensemble.Trees.Sum(tree => Expectation(tree, row, known, 0).Value);

    private static (double Value, double Cover) Expectation(Tree tree, float[] row, uint known, int node)
    {
        if (tree.Left[node] < 0)
            return (tree.LeafValue[node], tree.Cover[node]);
        var (left, leftCover) = Expectation(tree, row, known, tree.Left[node]);
        var (right, rightCover) = Expectation(tree, row, known, tree.Right[node]);
        var cover = leftCover + rightCover;
        var feature = tree.Feature[node];
        if ((known >> feature & 1) == 0)
            return ((left * leftCover + right * rightCover) / cover, cover);
        var goesLeft = float.IsNaN(row[feature]) ? tree.DefaultLeft[node] : row[feature] < tree.Threshold[node];
        return (goesLeft ? left : right, cover);
    }
}
