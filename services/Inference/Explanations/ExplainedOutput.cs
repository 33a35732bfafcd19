using System.Globalization;
using MlOps.Inference.Models;
using MlOps.Inference.Predictions;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Explanations;

/// <summary>The number of a row that is explained.</summary>
/// <param name="Output">Place of the output among the model's.</param>
/// <param name="Column">Its place in the output's row.</param>
/// <param name="Name">Like <c>prediction</c> or <c>probabilities[1]</c>.</param>
internal sealed record ExplainedOutput(int Output, int Column, string Name)
{
    /// <summary>The output a request names, or the model's own first: what can be explained exactly, else numbers with a fraction.</summary>
    /// <exception cref="InvalidRequestException">EXPLAIN_INVALID: it is no output of the model, or none of numbers.</exception>
    public static ExplainedOutput Of(LoadedModel model, string name)
    {
        if (name.Length == 0) return FirstOf(model) ?? throw Invalid("the model has no output of numbers");
        var bracket = name.EndsWith(']') ? name.LastIndexOf('[') : -1;
        var output = Array.FindIndex(model.Outputs, layout => layout.Name == name);
        var column = 0;
        if (output < 0 && bracket > 0
            && int.TryParse(name.AsSpan()[(bracket + 1)..^1], NumberStyles.None, CultureInfo.InvariantCulture, out column))
        {
            output = Array.FindIndex(model.Outputs, layout => layout.Name == name[..bracket]);
        }

        if (output < 0) throw Invalid($"'{Workspace.Shown(name)}' is not an output of the model");
        var layout = model.Outputs[output];
        if (layout.Datatype.IsText) throw Invalid($"'{layout.Name}' has no numbers");
        var width = layout.Shape.Length == 2 && layout.Shape[1] > 0 ? layout.Shape[1] : column + 1L;
        return column < width ? new ExplainedOutput(output, column, name) : throw Invalid($"'{layout.Name}' has {width} columns");
    }

    private static ExplainedOutput? FirstOf(LoadedModel model)
    {
        if (model.Explainable is { Scores: [var score, ..] }) return At(model, score.Output, score.Column);
        var output = Array.FindIndex(model.Outputs, layout => layout.Datatype.IsFloating);
        if (output < 0) output = Array.FindIndex(model.Outputs, layout => !layout.Datatype.IsText);
        return output < 0 ? null : At(model, output, 0);
    }

    private static ExplainedOutput At(LoadedModel model, int output, int column)
    {
        var layout = model.Outputs[output];
        return new ExplainedOutput(output, column, layout.IsScalarPerRow
            ? layout.Name
            : string.Create(CultureInfo.InvariantCulture, $"{layout.Name}[{column}]"));
    }

    private static InvalidRequestException Invalid(string rule) =>
        new("EXPLAIN_INVALID", [new FieldViolation("output", $"cannot be explained: {rule}")]);
}
