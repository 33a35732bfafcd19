using System.Numerics;
using MlOps.Contracts.Tables.V1;
using MlOps.Inference.Explanations;
using MlOps.Inference.Models;
using MlOps.Inference.Predictions;
using MlOps.Numerics.Onnx;
using MlOps.Numerics.Profiles;
using MlOps.Numerics.Trees;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Tests.Explanations;

/// <summary>What explanations say of sample models, beside the definition and beside the models' own answers.</summary>
public sealed class ExplanationTests
{
    private const int Rows = 60;

    public static TheoryData<string> Taken => SampleModels.Names(sample => sample.IsExplainable);

    [Theory]
    [MemberData(nameof(Taken))]
    public void Bias_and_contributions_add_up_to_what_the_model_answers(string name)
    {
        using var model = Open(name);
        using var workspace = Filled(model, seed: 3);
        var parts = model.Explainable!; // The samples are all explainable.

        foreach (var score in parts.Scores)
        {
            var output = workspace.Outputs[score.Output];
            var width = output.Count / Rows;
            var explanation = Explain(model, workspace, new ExplainOptions { Output = width == 1 ? "" : $"{output.Layout.Name}[{score.Column}]" });
            var isExact = explanation.Samples == 0;

            Assert.Equal(parts.HasCover, isExact);
            for (var row = 0; row < Rows; row++)
            {
                var explained = explanation.Rows[row];
                var sum = explained.Bias + explained.Contributions.Sum();
                var said = explanation.Space == "output" ? sum : Linked(parts.Link, sum);
                var answer = output.NumberAt((row * width) + score.Column);
                // FP32 overflows where doubles do not.
                if (!double.IsFinite(answer)) continue;
                Assert.True(
                    Math.Abs(said - answer) <= 1e-5 * Math.Max(1, explained.Contributions.Max(Math.Abs)),
                    $"row {row}: {answer} where the explanation adds up to {said}");
            }
        }
    }

    [Fact]
    public void Contributions_of_trees_are_Shapleys_by_definition_summed_over_what_a_value_is_encoded_into()
    {
        using var model = Open("trees export");
        using var workspace = Filled(model, seed: 4);
        var parts = model.Explainable!;
        var ensemble = (TreeEnsemble)parts.Scores[0].Model;
        var design = new float[parts.Width];

        var explanation = Explain(model, workspace, ExplainOptions.Default);

        Assert.Equal(("tree_shap", "output", "identity", "prediction"), (explanation.Method, explanation.Space, explanation.Link, explanation.Output));
        Assert.Equal(["distance", "hour", "origin", "wind", "carrier"], explanation.Names);
        for (var row = 0; row < 3; row++)
        {
            parts.Encode(workspace.Inputs, row, 1, design);
            var byValue = new double[5];
            for (var place = 0; place < design.Length; place++) byValue[parts.Origins[place].Input] += BruteForce(ensemble, design, place);
            Assert.Equal(byValue, explanation.Rows[row].Contributions, (a, b) => Math.Abs(a - b) <= 1e-8);
        }
    }

    [Fact]
    public void Sampling_follows_the_definition_over_its_background_within_its_own_errors()
    {
        using var model = Open("a front of its own");
        using var workspace = Filled(model, seed: 5);
        double[][] others = [[0.1, -0.5, 1], [1.5, 0.25, -1.25]];

        var explanation = Explain(
            model, workspace, new ExplainOptions { Samples = 2_000, Seed = 9, Background = Wide("x", others) });

        Assert.Equal("sampling_shap", explanation.Method);
        Assert.Equal(["x[0]", "x[1]", "x[2]"], explanation.Names);
        for (var row = 0; row < Rows; row++)
        {
            var own = Enumerable.Range(0, 3).Select(at => (double)MemoryAt(workspace, row, at)).ToArray();
            for (var feature = 0; feature < 3; feature++)
            {
                var expected = others.Average(other => Shapley(model, own, other, feature));
                var error = explanation.Rows[row].StandardErrors[feature];
                Assert.True(
                    Math.Abs(expected - explanation.Rows[row].Contributions[feature]) <= (5 * error) + 1e-5,
                    $"row {row}, value {feature}: {explanation.Rows[row].Contributions[feature]} ± {error} where it is {expected}");
            }
        }
    }

    [Fact]
    public void Of_a_linear_model_sampling_and_the_formula_say_the_same()
    {
        using var model = Open("linear export");
        using var workspace = Filled(model, seed: 6);
        var background = Delays([100, 300, 900], [1, 8, 20], ["ATL", "ORD", "DTW"]);

        var exact = Explain(model, workspace, new ExplainOptions { Method = ExplanationMethod.Exact, Background = background });
        var sampled = Explain(model, workspace, new ExplainOptions { Method = ExplanationMethod.Sampling, Samples = 30, Background = background });

        Assert.Equal(("linear_shap", "sampling_shap"), (exact.Method, sampled.Method));
        var compared = 0;
        for (var row = 0; row < Rows; row++)
        {
            var (a, b) = (exact.Rows[row], sampled.Rows[row]);
            var scale = Math.Max(1, a.Contributions.Max(Math.Abs));
            // FP32 overflows where doubles do not.
            if (scale > 1e6) continue;
            compared++;
            Assert.Equal(a.Bias, b.Bias, 1e-4);
            // The answers sampling looks at are FP32.
            Assert.Equal(a.Contributions, b.Contributions, (x, y) => Math.Abs(x - y) <= 1e-5 * scale);
        }

        Assert.InRange(compared, Rows / 3, Rows);
    }

    [Fact]
    public void Means_of_the_profile_are_those_of_the_training_rows_missing_ones_among_them()
    {
        using var model = new SampleModel("delay", Graphs.Delay(), Graphs.DelaySignature).Open(null, Profiles.Delay);
        using var workspace = model.RentWorkspace(0);
        Give(workspace, "distance", 700f);
        Give(workspace, "hour", 8f);
        Begin(workspace, "origin").TryAppendText("ATL"u8);
        workspace.Check(new Violations());

        var explained = Explain(model, workspace, ExplainOptions.Default).Rows[0];

        // 101 distances of mean 500 and a missing one, which is imputed as 500; hours of mean 11.5; two of three are ATL.
        Assert.Equal(5 + 23 + (1.25 * 2 / 3) - (0.5 / 3) + 3, explained.Bias, 1e-4);
        Assert.Equal([2, -7, (1.25 / 3) + (0.5 / 3)], explained.Contributions, (a, b) => Math.Abs(a - b) <= 1e-4);
    }

    [Fact]
    public void The_same_seed_says_the_same_and_another_something_else()
    {
        using var model = Open("plain rows");
        using var workspace = Filled(model, seed: 7);

        var (first, again, other) = (Sampled(1), Sampled(1), Sampled(2));

        for (var row = 0; row < Rows; row++) Assert.Equal(first.Rows[row].Contributions, again.Rows[row].Contributions);
        Assert.NotEqual(first.Rows[0].Contributions, other.Rows[0].Contributions);

        Explanation Sampled(int seed) => Explain(model, workspace, new ExplainOptions { Samples = 8, Seed = seed });
    }

    [Fact]
    public void Rows_said_already_come_from_the_cache_if_question_and_values_are_the_same()
    {
        using var model = Open("trees export");
        using var workspace = Filled(model, seed: 8);
        var explainer = new ModelExplainer(model);

        Assert.Equal(0, Cached(ExplainOptions.Default));
        Assert.Equal(Rows, Cached(ExplainOptions.Default));
        Assert.Equal(Rows, Cached(new ExplainOptions { Method = ExplanationMethod.Exact }));
        Assert.Equal(0, Cached(new ExplainOptions { Method = ExplanationMethod.Sampling, Samples = 2 }));
        Assert.Equal(Rows, Cached(new ExplainOptions { Method = ExplanationMethod.Sampling, Samples = 2 }));
        Assert.Equal(0, Cached(new ExplainOptions { Method = ExplanationMethod.Sampling, Samples = 3 }));
        Assert.Equal(0, Cached(new ExplainOptions { Method = ExplanationMethod.Sampling, Samples = 2, Seed = 2 }));

        int Cached(ExplainOptions options)
        {
            using var plan = explainer.Plan(options, Rows);
            return plan.Explain(workspace.Inputs, Rows, explainer.Cache, CancellationToken.None).Cached;
        }
    }

    [Fact]
    public void A_key_keeps_texts_apart_wherever_they_end()
    {
        var layout = new TensorLayout("x", Datatype.Named("BYTES")!, [-1, 2], isNullable: false);

        ExplanationKey[] keys =
        [
            .. ((string[][])[["ab", "c"], ["a", "bc"], ["abc", ""], ["", "abc"]]).Select(texts =>
            {
                var slot = new InputSlot(layout);
                slot.TryBegin(new Violations());
                slot.TryShape("BYTES", [1, 2], new Violations());
                foreach (var text in texts) slot.TryAppendText(System.Text.Encoding.UTF8.GetBytes(text));
                return ExplanationKey.Of("q", [slot], 0);
            }),
        ];

        Assert.Equal(keys.Length, keys.Distinct().Count());
    }

    [Fact]
    public void The_cache_keeps_so_many_rows_and_lets_go_of_those_longest_unused()
    {
        var cache = new ExplanationCache(3);
        var row = new RowExplanation(1, [2], []);
        for (ulong i = 0; i < 3; i++) cache.Add(new ExplanationKey(0, i), row);

        Assert.Same(row, cache.Find(new ExplanationKey(0, 0)));
        cache.Add(new ExplanationKey(0, 3), row);

        Assert.Equal(3, cache.Count);
        Assert.NotNull(cache.Find(new ExplanationKey(0, 0)));
        Assert.Null(cache.Find(new ExplanationKey(0, 1)));
        var none = new ExplanationCache(0);
        none.Add(new ExplanationKey(0, 0), row);
        Assert.Equal(0, none.Count);
    }

    [Theory]
    [InlineData("plain rows", "exact", "", 0, "EXPLAIN_NOT_EXACT", "do not say how many training rows")]
    [InlineData("a front of its own", "exact", "", 0, "EXPLAIN_NOT_EXACT", "")]
    [InlineData("an end of its own", "exact", "r[2]", 0, "EXPLAIN_NOT_EXACT", "")]
    [InlineData("trees export", "", "nothing", 0, "EXPLAIN_INVALID", "'nothing' is not an output of the model")]
    [InlineData("trees export", "", "prediction[1]", 0, "EXPLAIN_INVALID", "has 1 columns")]
    [InlineData("trees export", "sometimes", "", 0, "EXPLAIN_INVALID", "auto, exact or sampling")]
    [InlineData("trees export", "", "", -1, "EXPLAIN_INVALID", "samples")]
    [InlineData("plain rows", "sampling", "", 90_000, "EXPLAIN_TOO_COSTLY", "1000000")]
    public void What_cannot_be_explained_as_asked_is_refused_with_its_reason(
        string name, string method, string output, int samples, string code, string reason)
    {
        using var model = Open(name);
        using var workspace = Filled(model, seed: 1);

        var refused = Assert.Throws<InvalidRequestException>(() => Explain(model, workspace, ExplainOptions.Of(
            new() { Method = method, Output = output, Samples = samples })));

        Assert.Equal(code, refused.Code);
        Assert.Contains(reason, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Too_many_rows_and_a_model_without_anything_to_compare_with_are_refused()
    {
        using var plain = SampleModels.Named("plain rows").Open();
        using var linear = SampleModels.Named("linear export").Open();
        using var few = SampleModels.Named("trees export").Open(new ModelSettings { Explanations = new() { MaxRows = Rows - 1 } });

        Assert.Equal("EXPLAIN_NEEDS_BACKGROUND", Code(plain, ExplainOptions.Default));
        Assert.Equal("EXPLAIN_NEEDS_BACKGROUND", Code(linear, ExplainOptions.Default));
        Assert.Equal("EXPLAIN_NOT_EXACT", Code(linear, new ExplainOptions { Method = ExplanationMethod.Exact }));
        Assert.Equal("EXPLAIN_TOO_MANY_ROWS", Code(few, ExplainOptions.Default));
        Assert.Equal("BACKGROUND_INVALID", Code(linear, new ExplainOptions { Background = Wide("x", [[1, 2, 3]]) }));
        Assert.Equal("ROWS_INVALID", Code(linear, new ExplainOptions { Background = new Table() }));
    }

    [Fact]
    public async Task Any_number_of_threads_may_ask_the_same_version()
    {
        using var model = Open("trees export");
        using var workspace = Filled(model, seed: 11);
        var expected = Explain(model, workspace, ExplainOptions.Default);
        var explainer = new ModelExplainer(model);

        var all = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() =>
        {
            using var own = Filled(model, seed: 11);
            using var plan = explainer.Plan(ExplainOptions.Default, Rows);
            return plan.Explain(own.Inputs, Rows, explainer.Cache, CancellationToken.None).Explanation;
        })));

        Assert.All(all, one => Assert.Equal(expected.Rows.Select(row => row.Contributions), one.Rows.Select(row => row.Contributions)));
    }

    private static string Code(LoadedModel model, ExplainOptions options)
    {
        using var workspace = Filled(model, seed: 1);
        return Assert.Throws<InvalidRequestException>(() => Explain(model, workspace, options)).Code;
    }

    private static Explanation Explain(LoadedModel model, Workspace workspace, ExplainOptions options)
    {
        var explainer = new ModelExplainer(model);
        using var plan = explainer.Plan(options, workspace.Rows);
        return plan.Explain(workspace.Inputs, workspace.Rows, explainer.Cache, CancellationToken.None).Explanation;
    }

    // With a profile of rows of its own, as training would have left one; without the greatest numbers, whose means say nothing.
    private static LoadedModel Open(string name)
    {
        var sample = SampleModels.Named(name);
        using var bare = sample.Open();
        using var workspace = bare.RentWorkspace(0);
        SampleModel.Fill(workspace, seed: 100, 0, 200);
        var features = new RawValues(bare.Inputs).All.Select(value =>
        {
            var slot = workspace.Inputs[value.Input];
            var places = Enumerable.Range(0, 200).Select(row => (row * slot.Width) + value.Element);
            return slot.Layout.Datatype.IsText
                ? FeatureProfile.Categorical(value.Name, places.Select(at => System.Text.Encoding.UTF8.GetString(slot.Text(at))))
                : FeatureProfile.Numeric(value.Name, [.. places.Select(at => Tamed(Tensors.NumberAt(slot.Layout.Datatype, slot.Bytes, at)))]);
        });
        return sample.Open(null, new ReferenceProfile { Features = [.. features] });
    }

    private static Workspace Filled(LoadedModel model, int seed)
    {
        var workspace = model.RentWorkspace(0);
        SampleModel.Fill(workspace, seed, 0, Rows);
        model.Backend.Run(workspace.Inputs, workspace.Outputs);
        return workspace;
    }

    private static double Tamed(double value) => Math.Abs(value) > 10 ? 1 : value;

    private static double Linked(ScoreLink link, double score) => link switch
    {
        ScoreLink.Logistic => 1 / (1 + Math.Exp(-score)),
        ScoreLink.Exponential => Math.Exp(score),
        _ => score,
    };

    private static float MemoryAt(Workspace workspace, int row, int at) =>
        (float)Tensors.NumberAt(workspace.Inputs[0].Layout.Datatype, workspace.Inputs[0].Bytes, (row * 3) + at);

    /// <summary>φᵢ = Σ over subsets S without i of |S|!(n−|S|−1)!/n! · (f(S ∪ i) − f(S)), the rest being the other row's.</summary>
    private static double Shapley(LoadedModel model, double[] own, double[] other, int feature)
    {
        var phi = 0d;
        for (var known = 0u; known < 8; known++)
        {
            if ((known >> feature & 1) != 0) continue;
            var size = BitOperations.PopCount(known);
            phi += Factorial(size) * Factorial(2 - size) / Factorial(3) * (Answer(known | 1u << feature) - Answer(known));
        }

        return phi;

        double Answer(uint known)
        {
            using var workspace = model.RentWorkspace(0);
            var slot = workspace.Inputs[0];
            slot.TryBegin(new Violations());
            slot.TryShape("FP32", [1, 3], new Violations());
            for (var i = 0; i < 3; i++) slot.Append((float)((known >> i & 1) != 0 ? own[i] : other[i]));
            workspace.Check(new Violations());
            model.Backend.Run(workspace.Inputs, workspace.Outputs);
            return workspace.Outputs[0].NumberAt(0);
        }
    }

    private static double BruteForce(TreeEnsemble ensemble, float[] row, int feature)
    {
        var n = row.Length;
        var phi = 0d;
        for (var known = 0u; known < 1u << n; known++)
        {
            if ((known >> feature & 1) != 0) continue;
            var size = BitOperations.PopCount(known);
            phi += Factorial(size) * Factorial(n - size - 1) / Factorial(n)
                * ensemble.Trees.Sum(tree => Expectation(tree, row, known | 1u << feature, 0).Value - Expectation(tree, row, known, 0).Value);
        }

        return phi;
    }

    private static double Factorial(int n) => n <= 1 ? 1 : n * Factorial(n - 1);

    // What a tree is expected to say when only these features are known (Lundberg, Erion and Lee 2018, Algorithm 1).
    private static (double Value, double Cover) Expectation(Tree tree, float[] row, uint known, int node)
    {
        if (tree.Left[node] < 0) return (tree.LeafValue[node], tree.Cover[node]);
        var (left, leftCover) = Expectation(tree, row, known, tree.Left[node]);
        var (right, rightCover) = Expectation(tree, row, known, tree.Right[node]);
        var (cover, feature) = (leftCover + rightCover, tree.Feature[node]);
        if ((known >> feature & 1) == 0) return (((left * leftCover) + (right * rightCover)) / cover, cover);
        var goesLeft = float.IsNaN(row[feature]) ? tree.DefaultLeft[node] : row[feature] < tree.Threshold[node];
        return (goesLeft ? left : right, cover);
    }

    private static Table Wide(string name, double[][] rows) => new()
    {
        Columns =
        {
            Enumerable.Range(0, rows[0].Length).Select(at => new Column { Name = $"{name}[{at}]", Doubles = new() { Values = { rows.Select(row => row[at]) } } }),
        },
    };

    private static Table Delays(double[] distances, double[] hours, string[] origins) => new()
    {
        Columns =
        {
            new Column { Name = "distance", Doubles = new() { Values = { distances } } },
            new Column { Name = "hour", Doubles = new() { Values = { hours } } },
            new Column { Name = "origin", Texts = new() { Values = { origins } } },
        },
    };

    private static void Give(Workspace workspace, string input, float value) => Begin(workspace, input).Append(value);

    private static InputSlot Begin(Workspace workspace, string input)
    {
        var slot = workspace.Find(input)!; // The sample has it.
        Assert.True(slot.TryBegin(new Violations()) && slot.TryShape(slot.Layout.Datatype.Name, [1, 1], new Violations()));
        return slot;
    }
}
