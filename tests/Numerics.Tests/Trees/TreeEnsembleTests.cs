using System.Text;
using System.Text.Json;
using MlOps.Numerics.Trees;

namespace MlOps.Numerics.Tests.Trees;

public class TreeEnsembleTests
{
    [Fact]
    public void Predictions_equal_XGBoosts_to_the_bit()
    {
        var (ensemble, rows, expected) = XgboostReference.Load();

        var actual = new float[expected.Length];
        ensemble.Predict(rows, actual);

        Assert.Equal(expected.Select(BitConverter.SingleToInt32Bits), actual.Select(BitConverter.SingleToInt32Bits));
    }

    [Fact]
    public void The_model_is_read_as_it_was_trained()
    {
        var (ensemble, _, _) = XgboostReference.Load();

        Assert.Equal(5, ensemble.FeatureCount);
        Assert.Equal(25, ensemble.Trees.Count);
        Assert.Equal(31.315392f, ensemble.BaseScore);
        Assert.Equal(600, ensemble.Trees[0].Cover[0]);
        var importance = ensemble.FeatureImportance();
        Assert.True(importance[0] > importance[1] && importance[1] > importance[4]); // as the labels were made
        Assert.Equal(ensemble.Trees.SelectMany(tree => tree.Gain).Sum(gain => (double)gain), importance.Sum(), 3);
    }

    [Fact]
    public void A_value_at_the_threshold_goes_right_and_a_missing_one_the_default_way()
    {
        var tree = new Tree([0, 0, 0], [1.5f, 0, 0], [1, -1, -1], [2, -1, -1], [true, false, false],
            [0, -10, 10], [2, 1, 1], [1, 0, 0]);

        Assert.Equal(-10, tree.Evaluate([1.4999999f]));
        Assert.Equal(10, tree.Evaluate([1.5f]));
        Assert.Equal(-10, tree.Evaluate([float.NaN]));
        Assert.Equal(-10, tree.Evaluate([float.NegativeInfinity]));
    }

    [Fact]
    public void A_row_of_another_width_is_refused() =>
        Assert.Throws<ArgumentException>(() => XgboostReference.Load().Ensemble.Predict([1, 2, 3]));

    [Theory]
    [InlineData("\"name\":\"gbtree\"", "\"name\":\"gblinear\"")]
    [InlineData("reg:squarederror", "binary:logistic")]
    [InlineData("\"tree_info\":[0,", "\"tree_info\":[1,")]
    [InlineData("\"categories\":[]", "\"categories\":[1]")]
    public void What_is_not_a_plain_sum_of_trees_is_refused_by_name(string part, string other) =>
        Assert.Throws<NotSupportedException>(() => Altered(part, other));

    [Theory]
    [InlineData("\"learner\"", "\"learned\"")]
    [InlineData("\"num_feature\":\"5\",\"num_target\"", "\"num_feature\":\"2\",\"num_target\"")]
    [InlineData("\"left_children\":[1,", "\"left_children\":[0,")]
    [InlineData("\"left_children\":[1,", "\"left_children\":[9999,")]
    [InlineData("\"default_left\":[", "\"default_left\":[0,")]
    [InlineData("\"base_score\":\"3", "\"base_score\":\"x")]
    public void A_broken_model_is_refused(string part, string other) =>
        Assert.ThrowsAny<JsonException>(() => Altered(part, other));

    private static TreeEnsemble Altered(string part, string other)
    {
        var json = Encoding.UTF8.GetString(Reference.Bytes("xgboost_model.json"));
        Assert.Contains(part, json, StringComparison.Ordinal);
        var altered = json.Replace(part, other, StringComparison.Ordinal);
        return TreeEnsemble.FromXgboostJson(Encoding.UTF8.GetBytes(altered));
    }
}
