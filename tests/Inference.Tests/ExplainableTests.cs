using MlOps.Numerics.Onnx;

namespace MlOps.Inference.Tests;

/// <summary>A model taken apart predicts what it does whole.</summary>
public sealed class ExplainableTests
{
    private const int Rows = 300;

    public static TheoryData<string> Taken => SampleModels.Names(sample => sample.IsExplainable);

    public static TheoryData<string> Refused => SampleModels.Names(sample => !sample.IsExplainable);

    [Theory]
    [MemberData(nameof(Taken))]
    public void Encoding_scores_and_link_give_the_models_own_answer(string name)
    {
        using var model = SampleModels.Named(name).Open();
        using var workspace = model.RentWorkspace(0);
        SampleModel.Fill(workspace, 1, 0, Rows);
        model.Backend.Run(workspace.Inputs, workspace.Outputs);
        var parts = model.Explainable;
        Assert.NotNull(parts);
        var design = new float[Rows * parts.Width];
        parts.Encode(workspace.Inputs, 0, Rows, design);

        Assert.Equal(Rows, parts.RowsOf(workspace.Inputs));
        foreach (var score in parts.Scores)
        {
            var output = workspace.Outputs[score.Output];
            for (var row = 0; row < Rows; row++)
            {
                var encoded = design[(row * parts.Width)..((row + 1) * parts.Width)];
                double sum = score.Model.Predict(encoded);
                var expected = parts.Link switch
                {
                    ScoreLink.Logistic => 1 / (1 + Math.Exp(-sum)),
                    ScoreLink.Exponential => Math.Exp(sum),
                    ScoreLink.Softmax => Math.Exp(sum) / parts.Scores.Sum(other => Math.Exp(other.Model.Predict(encoded))),
                    _ => sum,
                };
                var actual = output.NumberAt((row * (output.Count / Rows)) + score.Column);
                Assert.True(
                    expected.Equals(actual) || Math.Abs(actual - expected) <= 1e-5 * Math.Max(1, Math.Abs(expected)),
                    $"row {row}: {actual} where the parts give {expected}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Taken))]
    public void Rows_are_encoded_alike_from_wherever_one_begins(string name)
    {
        using var model = SampleModels.Named(name).Open();
        using var workspace = model.RentWorkspace(0);
        SampleModel.Fill(workspace, 2, 0, 40);
        var parts = model.Explainable!; // The samples are all explainable.
        var (whole, part) = (new float[40 * parts.Width], new float[7 * parts.Width]);
        parts.Encode(workspace.Inputs, 0, 40, whole);
        part.AsSpan().Fill(-7);
        parts.Encode(workspace.Inputs, 11, 7, part);

        Assert.Equal(whole[(11 * parts.Width)..(18 * parts.Width)], part);
    }

    [Fact]
    public void Every_place_of_a_row_says_which_raw_value_it_comes_from()
    {
        using var delay = SampleModels.Named("linear export").Open();
        using var casts = SampleModels.Named("rows of integers and doubles").Open();

        Assert.Equal(["distance", "hour", "origin=ATL", "origin=ORD"], delay.Explainable!.Names);
        Assert.Equal([0, 1, 2, 2], delay.Explainable.Origins.Select(origin => origin.Input));
        Assert.Equal(["d[0]", "d[1]", "d[2]", "n[0]", "n[1]"], casts.Explainable!.Names);
        Assert.Equal([(1, 0), (1, 1), (1, 2), (0, 0), (0, 1)], casts.Explainable.Origins.Select(origin => (origin.Input, origin.Element)));
    }

    [Fact]
    public void An_exported_ensemble_keeps_its_cover_and_one_without_says_so()
    {
        using var exported = SampleModels.Named("trees export").Open();
        using var plain = SampleModels.Named("plain rows").Open();

        Assert.True(exported.Explainable!.HasCover);
        Assert.False(plain.Explainable!.HasCover);
    }

    [Theory]
    [MemberData(nameof(Refused))]
    public void What_cannot_be_taken_apart_says_why(string name)
    {
        using var model = SampleModels.Named(name).Open();

        Assert.Null(model.Explainable);
        Assert.NotEmpty(model.NotExplainable);
    }
}
