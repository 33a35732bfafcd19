using System.Text.Json;
using MlOps.Inference.Predictions;

namespace MlOps.Inference.Protocol;

/// <summary>Writes predictions row by row.</summary>
internal static class PredictionRows
{
    /// <summary>One output: its value. Several: an object of them by name.</summary>
    public static void Write(Utf8JsonWriter writer, Prediction prediction, int row)
    {
        var outputs = prediction.Outputs;
        if (outputs.Length != 1) writer.WriteStartObject();
        foreach (var output in outputs)
        {
            if (outputs.Length != 1) writer.WritePropertyName(output.Layout.NameUtf8);
            var width = output.Count / prediction.Rows;
            if (width != 1) writer.WriteStartArray();
            for (var at = row * width; at < (row + 1) * width; at++) WriteValue(writer, output, at);
            if (width != 1) writer.WriteEndArray();
        }

        if (outputs.Length != 1) writer.WriteEndObject();
    }

    private static void WriteValue(Utf8JsonWriter writer, OutputSlot output, int i)
    {
        if (output.Layout.Datatype.IsFloating) WriteNumber(writer, output.NumberAt(i));
        else JsonValues.Write(writer, output, i);
    }

    /// <summary>JSON has no NaN and no infinities: they are null.</summary>
    public static void WriteNumber(Utf8JsonWriter writer, double value)
    {
        if (double.IsFinite(value)) writer.WriteNumberValue(value);
        else writer.WriteNullValue();
    }
}
