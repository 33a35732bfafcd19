using System.Text.Json;
using MlOps.Inference.Protocol;

namespace MlOps.Inference.Explanations;

/// <summary>
/// Writes an explanation: <c>{"method":"tree_shap","space":"output","link":"identity","output":"prediction",
/// "rows":[{"bias":7.5,"contributions":{"distance":1.25,"hour":-0.5}}]}</c>.
/// </summary>
internal static class ExplanationJson
{
    public static void Write(Utf8JsonWriter writer, Explanation explanation)
    {
        writer.WriteStartObject();
        WriteHow(writer, explanation);
        writer.WriteStartArray("rows"u8);
        for (var row = 0; row < explanation.Rows.Count; row++) WriteRow(writer, explanation, row);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    /// <summary>How it was found, as properties of the object that is being written.</summary>
    public static void WriteHow(Utf8JsonWriter writer, Explanation explanation)
    {
        writer.WriteString("method"u8, explanation.Method);
        writer.WriteString("space"u8, explanation.Space);
        writer.WriteString("link"u8, explanation.Link);
        writer.WriteString("output"u8, explanation.Output);
        if (explanation.Samples == 0) return;
        writer.WriteNumber("samples"u8, explanation.Samples);
        writer.WriteNumber("seed"u8, explanation.Seed);
    }

    public static void WriteRow(Utf8JsonWriter writer, Explanation explanation, int row)
    {
        var explained = explanation.Rows[row];
        writer.WriteStartObject();
        writer.WritePropertyName("bias"u8);
        PredictionRows.WriteNumber(writer, explained.Bias);
        WriteByName(writer, "contributions"u8, explanation.Names, explained.Contributions);
        if (explanation.Samples > 0) WriteByName(writer, "standard_errors"u8, explanation.Names, explained.StandardErrors);
        writer.WriteEndObject();
    }

    private static void WriteByName(Utf8JsonWriter writer, ReadOnlySpan<byte> word, IReadOnlyList<string> names, double[] values)
    {
        writer.WriteStartObject(word);
        for (var i = 0; i < values.Length; i++)
        {
            writer.WritePropertyName(names[i]);
            PredictionRows.WriteNumber(writer, values[i]);
        }

        writer.WriteEndObject();
    }
}
