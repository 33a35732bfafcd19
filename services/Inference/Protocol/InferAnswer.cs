using System.Buffers;
using System.Text.Json;
using MlOps.Inference.Explanations;
using MlOps.Inference.Predictions;

namespace MlOps.Inference.Protocol;

/// <summary>Writes an infer answer: JSON, and behind it the tensors asked for in binary.</summary>
internal static class InferAnswer
{
    private static readonly JsonWriterOptions Fast = new() { SkipValidation = true };

    /// <returns>Bytes of JSON in front of binary tensors; null when all is JSON.</returns>
    public static int? Write(ArrayBufferWriter<byte> to, InferJsonRequest request, Prediction prediction)
    {
        var explanation = ExplanationSlots.Of(prediction.Explanation);
        var count = CountOf(request, prediction) + explanation.Length;
        var hasBinary = false;
        using (var writer = new Utf8JsonWriter(to, Fast))
        {
            writer.WriteStartObject();
            writer.WriteString("model_name"u8, prediction.Model.Model);
            writer.WriteString("model_version"u8, prediction.Model.VersionText);
            if (request.Id is not null) writer.WriteString("id"u8, request.Id);
            writer.WriteStartObject("parameters"u8);
            writer.WriteString("prediction_id"u8, prediction.Id);
            if (prediction.Flags.Count > 0) writer.WriteString("flags"u8, FlagsHeader.Of(prediction.Flags));
            if (prediction.Explanation is { } how) Write(writer, how);
            writer.WriteEndObject();
            writer.WriteStartArray("outputs"u8);
            for (var i = 0; i < count; i++)
            {
                var (output, isBinary) = At(request, prediction, explanation, i);
                hasBinary |= isBinary;
                Write(writer, output, isBinary);
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        if (!hasBinary) return null;
        var jsonLength = to.WrittenCount;
        for (var i = 0; i < count; i++)
        {
            var (output, isBinary) = At(request, prediction, explanation, i);
            if (!isBinary) continue;
            var size = RawTensors.SizeOf(output);
            RawTensors.Write(output, to.GetSpan(size));
            to.Advance(size);
        }

        return jsonLength;
    }

    private static int CountOf(InferJsonRequest request, Prediction prediction) =>
        request.Outputs.Count == 0 ? prediction.Outputs.Length : request.Outputs.Count;

    // What explains them stands behind the outputs.
    private static (OutputSlot Output, bool IsBinary) At(InferJsonRequest request, Prediction prediction, OutputSlot[] explanation, int i)
    {
        if (i - CountOf(request, prediction) is >= 0 and var behind) return (explanation[behind], request.IsBinary);
        if (request.Outputs.Count == 0) return (prediction.Outputs[i], request.IsBinary);
        var (name, isBinary) = request.Outputs[i];
        return (RequestedOutputs.Find(prediction, name), isBinary ?? request.IsBinary);
    }

    private static void Write(Utf8JsonWriter writer, Explanation explanation)
    {
        writer.WriteString("explanation_method"u8, explanation.Method);
        writer.WriteString("explanation_space"u8, explanation.Space);
        writer.WriteString("explanation_link"u8, explanation.Link);
        writer.WriteString("explanation_output"u8, explanation.Output);
        if (explanation.Samples == 0) return;
        writer.WriteNumber("explanation_samples"u8, explanation.Samples);
        writer.WriteNumber("explanation_seed"u8, explanation.Seed);
    }

    private static void Write(Utf8JsonWriter writer, OutputSlot output, bool isBinary)
    {
        writer.WriteStartObject();
        writer.WriteString("name"u8, output.Layout.NameUtf8);
        writer.WriteString("datatype"u8, output.Layout.Datatype.Name);
        writer.WriteStartArray("shape"u8);
        foreach (var size in output.Shape) writer.WriteNumberValue(size);
        writer.WriteEndArray();
        if (isBinary)
        {
            writer.WriteStartObject("parameters"u8);
            writer.WriteNumber("binary_data_size"u8, RawTensors.SizeOf(output));
            writer.WriteEndObject();
        }
        else
        {
            writer.WriteStartArray("data"u8);
            for (var i = 0; i < output.Count; i++) JsonValues.Write(writer, output, i);
            writer.WriteEndArray();
        }

        writer.WriteEndObject();
    }
}
