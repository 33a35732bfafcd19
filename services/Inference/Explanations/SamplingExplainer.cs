using MlOps.Inference.Models;
using MlOps.Inference.Predictions;
using MlOps.Numerics.Explanations;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Explanations;

/// <summary>Explains any model by asking it for rows between a background row and the explained one. The same orders for every row.</summary>
internal sealed class SamplingExplainer(
    LoadedModel model, RawValues raw, ExplainedOutput output, PermutationShap shap, Background background) : IRowExplainer
{
    private const int RowsAtOnce = 1_024;

    public string Method => "sampling_shap";

    public IReadOnlyList<RowExplanation> Explain(InputSlot[] inputs, IReadOnlyList<int> rows, CancellationToken ct)
    {
        var explained = new RowExplanation[rows.Count];
        var values = new double[shap.Evaluations];
        for (var i = 0; i < explained.Length; i++)
        {
            for (var first = 0; first < values.Length; first += RowsAtOnce)
            {
                ct.ThrowIfCancellationRequested();
                Evaluate(inputs, rows[i], first, values.AsSpan(first, Math.Min(RowsAtOnce, values.Length - first)));
            }

            var (contributions, errors) = (new double[raw.All.Count], new double[raw.All.Count]);
            explained[i] = new RowExplanation(shap.Sum(values, contributions, errors), contributions, errors);
        }

        return explained;
    }

    private void Evaluate(InputSlot[] inputs, int row, int first, Span<double> values)
    {
        using var workspace = model.RentWorkspace(0);
        var violations = new Violations();
        for (int input = 0, place = 0; input < inputs.Length; input++)
        {
            var slot = workspace.Inputs[input];
            var width = Background.BeginRows(slot, values.Length, violations);
            for (var evaluation = first; evaluation < first + values.Length; evaluation++)
            {
                var other = background.RowOf(shap.BackgroundOf(evaluation));
                for (var i = 0; i < width; i++)
                {
                    var isExplained = shap.IsExplained(evaluation, place + i);
                    slot.AppendFrom(
                        isExplained ? inputs[input] : background.Rows.Inputs[input], ((isExplained ? row : other) * width) + i);
                }
            }

            place += width;
        }

        workspace.Check(violations);
        model.Backend.Run(workspace.Inputs, workspace.Outputs);
        var answers = workspace.Outputs[output.Output];
        var answersPerRow = answers.Count / values.Length;
        if (output.Column >= answersPerRow)
        {
            throw new InvalidRequestException(
                "EXPLAIN_INVALID", [new FieldViolation("output", $"cannot be explained: '{answers.Layout.Name}' has {answersPerRow} columns")]);
        }

        for (var i = 0; i < values.Length; i++) values[i] = answers.NumberAt((i * answersPerRow) + output.Column);
    }
}
