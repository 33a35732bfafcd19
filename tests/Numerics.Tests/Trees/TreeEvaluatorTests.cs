using MlOps.Numerics.Trees;

namespace MlOps.Numerics.Tests.Trees;

/// <summary>The evaluator beside <see cref="TreeEnsemble"/>, which equals XGBoost, to the bit.</summary>
public class TreeEvaluatorTests
{
    private static readonly float[] Specials =
        [float.NaN, float.PositiveInfinity, float.NegativeInfinity, 0f, -0f, float.Epsilon, -float.Epsilon, 1e-40f,
         float.MaxValue, float.MinValue];

    public static TheoryData<TreeInstructions, int> EveryWay
    {
        get
        {
            var ways = new TheoryData<TreeInstructions, int>();
            foreach (var instructions in Enum.GetValues<TreeInstructions>().Where(i => i <= TreeEvaluator.Best))
                foreach (var rows in new[] { 0, 1, 7, 8, 16, 17, 31, 33, 39, 64, 1_000, 10_000 })
                    ways.Add(instructions, rows);
            return ways;
        }
    }

    [Theory]
    [MemberData(nameof(EveryWay))]
    public void Every_batch_equals_the_reference_to_the_bit(TreeInstructions instructions, int rows)
    {
        var random = new Random(rows);
        TreeEnsemble[] ensembles =
        [
            Ensemble(random, trees: 203, depth: 6, features: 10, keep: 1),
            Ensemble(random, trees: 41, depth: 6, features: 3, keep: 0.8),
            Ensemble(random, trees: 7, depth: 8, features: 40, keep: 0.97),
            Ensemble(random, trees: 5, depth: 30, features: 5, keep: 0.75),
            Ensemble(random, trees: 3, depth: 2, features: 1, keep: 1),
            new TreeEnsemble([Tree.Constant(0.1f), Chain(200, random), Tree.Constant(-3f)], 0.3f, 2),
            new TreeEnsemble([], 1.5f, 4),
            new TreeEnsemble([Tree.Constant(-0f)], -0f, 0),
        ];
        foreach (var ensemble in ensembles)
        {
            var design = Design(random, rows * ensemble.FeatureCount);
            var (expected, actual) = (new float[rows], new float[rows]);
            ensemble.Predict(design, expected);

            new TreeEvaluator(ensemble, instructions).Predict(design, actual);

            AssertSameBits(expected, actual);
        }
    }

    [Fact]
    public void Many_features_go_beyond_the_stack()
    {
        var random = new Random(3);
        var ensemble = Ensemble(random, trees: 300, depth: 6, features: 900, keep: 1);
        var design = Design(random, 75 * 900);
        var (expected, actual) = (new float[75], new float[75]);
        ensemble.Predict(design, expected);

        new TreeEvaluator(ensemble).Predict(design, actual);

        AssertSameBits(expected, actual);
    }

    [Fact]
    public void XGBoosts_own_predictions_come_back_to_the_bit()
    {
        var (ensemble, rows, expected) = XgboostReference.Load();
        var evaluator = new TreeEvaluator(ensemble);
        var actual = new float[expected.Length];

        evaluator.Predict(rows, actual);

        AssertSameBits(expected, actual);
        AssertSameBits(expected, [.. rows.Chunk(5).Select(row => evaluator.Predict(row))]);
    }

    [Fact]
    public async Task Callers_at_once_do_not_disturb_each_other()
    {
        var random = new Random(5);
        var ensemble = Ensemble(random, trees: 50, depth: 6, features: 10, keep: 0.9);
        var evaluator = new TreeEvaluator(ensemble);
        float[][] designs = [.. Enumerable.Range(0, 8).Select(_ => Design(random, 333 * 10))];

        var answers = await Task.WhenAll(designs.Select(design => Task.Run(() =>
        {
            var predictions = new float[333];
            for (var i = 0; i < 20; i++)
                evaluator.Predict(design, predictions);
            return predictions;
        })));

        for (var i = 0; i < designs.Length; i++)
        {
            var expected = new float[333];
            ensemble.Predict(designs[i], expected);
            AssertSameBits(expected, answers[i]);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(1_000)]
    public void Predicting_allocates_nothing(int rows)
    {
        var random = new Random(6);
        var evaluator = new TreeEvaluator(Ensemble(random, trees: 20, depth: 6, features: 10, keep: 1));
        var design = Design(random, rows * 10);
        var predictions = new float[rows];
        evaluator.Predict(design, predictions);

        var before = GC.GetAllocatedBytesForCurrentThread();
        evaluator.Predict(design, predictions);

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public void A_batch_of_another_width_and_a_split_on_no_feature_are_refused()
    {
        var ensemble = Ensemble(new Random(7), trees: 2, depth: 3, features: 4, keep: 1);

        Assert.Throws<ArgumentException>(() => new TreeEvaluator(ensemble).Predict(new float[9], new float[2]));
        Assert.Throws<ArgumentException>(() => new TreeEvaluator(ensemble with { FeatureCount = 1 }));
    }

    /// <summary>Splits are kept with a probability below the root; thresholds are special values at times.</summary>
    internal static TreeEnsemble Ensemble(Random random, int trees, int depth, int features, double keep) =>
        new([.. Enumerable.Range(0, trees).Select(_ => Grow(random, depth, features, keep))], 31.3f, features);

    private static Tree Grow(Random random, int depth, int features, double keep)
    {
        List<(int Feature, float Threshold, int Left, int Right, bool DefaultLeft, float Leaf, float Cover)> nodes = [];
        List<(int Depth, float Cover)> open = [(0, 1000)];
        for (var i = 0; i < open.Count; i++)
        {
            var (at, cover) = open[i];
            if (at == depth || (at > 0 && random.NextDouble() >= keep) || open.Count > 3_000)
            {
                nodes.Add((0, 0, -1, -1, false, (float)(random.NextDouble() - 0.5), cover));
                continue;
            }

            var share = (float)(0.1 + 0.8 * random.NextDouble());
            nodes.Add((random.Next(features), Cell(random), open.Count, open.Count + 1, random.Next(2) == 0, 0, cover));
            open.AddRange([(at + 1, cover * share), (at + 1, cover * (1 - share))]);
        }

        return new Tree([.. nodes.Select(n => n.Feature)], [.. nodes.Select(n => n.Threshold)],
            [.. nodes.Select(n => n.Left)], [.. nodes.Select(n => n.Right)], [.. nodes.Select(n => n.DefaultLeft)],
            [.. nodes.Select(n => n.Leaf)], [.. nodes.Select(n => n.Cover)], new float[nodes.Count]);
    }

    /// <summary>Every split's left child is a leaf.</summary>
    private static Tree Chain(int splits, Random random)
    {
        T[] Nodes<T>(Func<int, T> split, Func<int, T> leaf) =>
            [.. Enumerable.Range(0, 2 * splits + 1).Select(i => i % 2 == 0 && i < 2 * splits ? split(i) : leaf(i))];
        return new Tree(Nodes(_ => random.Next(2), _ => 0), Nodes(i => i / 100f - 2, _ => 0f),
            Nodes(i => i + 1, _ => -1), Nodes(i => i + 2, _ => -1), Nodes(_ => random.Next(4) == 0, _ => false),
            Nodes(_ => 0f, i => i / 7f), Nodes(_ => 1f, _ => 1f), Nodes(_ => 0f, _ => 0f));
    }

    private static float[] Design(Random random, int cells) =>
        [.. Enumerable.Range(0, cells).Select(_ => Cell(random))];

    private static float Cell(Random random) =>
        random.Next(8) == 0 ? Specials[random.Next(Specials.Length)] : (float)(4 * random.NextDouble() - 2);

    private static void AssertSameBits(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
            Assert.Equal(BitConverter.SingleToInt32Bits(expected[i]), BitConverter.SingleToInt32Bits(actual[i]));
    }
}
