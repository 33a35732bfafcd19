using System.Text.Json;
using Grpc.Core;
using MlOps.Inference.Explanations;
using MlOps.Inference.Models;
using MlOps.Inference.Predictions;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Protocol;

/// <summary>What an infer request says beside its tensors.</summary>
/// <param name="Id">To be echoed; null: none was given.</param>
/// <param name="Outputs">Outputs asked for; empty: all.</param>
/// <param name="IsBinary">Whether outputs that do not say are answered in binary.</param>
/// <param name="Explain">How the answer is to be explained; null: nobody asked.</param>
internal readonly record struct InferJsonRequest(
    string? Id, IReadOnlyList<RequestedOutput> Outputs, bool IsBinary, ExplainOptions? Explain = null);

/// <summary>
/// Reads an infer request's JSON straight into a model's inputs.
/// One looks like <c>{"id":"1","inputs":[{"name":"distance","shape":[1,1],"datatype":"FP32","data":[719]}]}</c>.
/// </summary>
internal static class InferJson
{
    private const int MaxRank = 16;

    /// <exception cref="InvalidRequestException">
    /// JSON_INVALID: not JSON, or not of this form. INPUT_INVALID: every input that breaks a rule, and the rule.
    /// BINARY_TORN: the inputs' sizes are not those of the bytes behind the JSON.
    /// </exception>
    /// <exception cref="RpcException">Unimplemented: a parameter asks for what is not served.</exception>
    public static InferJsonRequest Read(ReadOnlySpan<byte> body, ReadOnlySpan<byte> binary, Workspace workspace)
    {
        try
        {
            var reader = new Utf8JsonReader(body);
            var tail = new BinaryTail(binary);
            return ReadRequest(ref reader, ref tail, workspace);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // The second is the reader's word for a string that is no text: a lone surrogate, a torn UTF-8 sequence.
            throw Invalid($"The body is not valid JSON: {e.Message}");
        }
    }

    private static InferJsonRequest ReadRequest(ref Utf8JsonReader reader, ref BinaryTail tail, Workspace workspace)
    {
        string? id = null;
        List<RequestedOutput> outputs = [];
        var parameters = default(InferParameters);
        ExplainOptions? explain = null;
        var violations = new Violations();
        var hasInputs = false;
        reader.Read();
        Expect(ref reader, JsonTokenType.StartObject, "the request must be an object");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("id"u8))
            {
                reader.Read();
                Expect(ref reader, JsonTokenType.String, "'id' must be a string");
                id = reader.GetString();
            }
            else if (reader.ValueTextEquals("inputs"u8))
            {
                if (hasInputs) throw Invalid("'inputs' is given twice");
                hasInputs = true;
                ReadInputs(ref reader, ref tail, workspace, violations);
            }
            else if (reader.ValueTextEquals("outputs"u8))
            {
                ReadOutputs(ref reader, outputs);
            }
            else if (reader.ValueTextEquals("parameters"u8))
            {
                var ahead = reader;
                parameters = InferParameters.Read(ref reader);
                if (parameters.HasExplain) explain = ExplainParameters.Read(ahead);
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }

        // Reads on, so that anything behind the object is an error.
        reader.Read();
        tail.End();
        workspace.Check(violations);
        return new InferJsonRequest(id, outputs, parameters.IsBinary ?? false, explain);
    }

    private static void ReadInputs(
        ref Utf8JsonReader reader, ref BinaryTail tail, Workspace workspace, Violations violations)
    {
        reader.Read();
        Expect(ref reader, JsonTokenType.StartArray, "'inputs' must be an array");
        for (var i = 0; reader.Read() && reader.TokenType != JsonTokenType.EndArray; i++)
        {
            Expect(ref reader, JsonTokenType.StartObject, $"'inputs[{i}]' must be an object");
            ReadInput(ref reader, ref tail, workspace, i, violations);
        }
    }

    private static void ReadInput(
        ref Utf8JsonReader reader, ref BinaryTail tail, Workspace workspace, int position, Violations violations)
    {
        InputSlot? slot = null;
        string? unknownName = null;
        var hasName = false;
        string? datatype = null;
        Span<long> shape = stackalloc long[MaxRank];
        var rank = -1;
        Utf8JsonReader later = default;
        var isLater = false;
        var isRead = false;
        long? binarySize = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("name"u8))
            {
                reader.Read();
                Expect(ref reader, JsonTokenType.String, $"'inputs[{position}].name' must be a string");
                hasName = true;
                slot = workspace.Find(ref reader, position);
                if (slot is null) unknownName = reader.GetString();
            }
            else if (reader.ValueTextEquals("datatype"u8))
            {
                reader.Read();
                Expect(ref reader, JsonTokenType.String, $"'inputs[{position}].datatype' must be a string");
                datatype = Datatype.Named(ref reader)?.Name ?? reader.GetString();
            }
            else if (reader.ValueTextEquals("shape"u8))
            {
                rank = ReadShape(ref reader, shape, position);
            }
            else if (reader.ValueTextEquals("data"u8))
            {
                reader.Read();
                if (isRead || isLater) throw Invalid($"'inputs[{position}].data' is given twice");
                if (slot is not null && datatype is not null && rank >= 0)
                {
                    isRead = true;
                    if (!TryReadData(ref reader, slot, datatype, shape[..rank], violations)) reader.Skip();
                }
                else
                {
                    isLater = true;
                    later = reader;
                    reader.Skip();
                }
            }
            else if (reader.ValueTextEquals("parameters"u8))
            {
                binarySize = InferParameters.Read(ref reader).BinarySize;
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }

        if (!hasName) throw Invalid($"'inputs[{position}].name' is missing");
        var binary = binarySize is { } size ? tail.Take(size) : default;
        if (slot is null)
        {
            violations.Add(Workspace.Shown(unknownName ?? ""), "is not an input of the model");
            return;
        }

        if (binarySize is not null && (isRead || isLater))
        {
            violations.Add(slot.Layout.Name, $"must not have both 'data' and '{BinaryTail.SizeParameter}'");
            slot.TryBegin(violations);
            return;
        }

        if (isRead) return;
        if (datatype is null || rank < 0 || (!isLater && binarySize is null))
        {
            var missing = datatype is null ? "datatype" : rank < 0 ? "shape" : "data";
            if (slot.TryBegin(violations)) violations.Add(slot.Layout.Name, $"must have '{missing}'");
            return;
        }

        if (binarySize is not null)
        {
            if (slot.TryBegin(violations) && slot.TryShape(datatype, shape[..rank], violations)) RawTensors.Read(binary, slot, violations);
            return;
        }

        TryReadData(ref later, slot, datatype, shape[..rank], violations);
    }

    private static int ReadShape(ref Utf8JsonReader reader, scoped Span<long> shape, int position)
    {
        reader.Read();
        Expect(ref reader, JsonTokenType.StartArray, $"'inputs[{position}].shape' must be an array");
        var rank = 0;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (rank == MaxRank || reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out shape[rank]))
            {
                throw Invalid($"'inputs[{position}].shape' must be at most {MaxRank} integers");
            }

            rank++;
        }

        return rank;
    }

    // False: nothing was read, and why is among the violations.
    private static bool TryReadData(
        ref Utf8JsonReader reader, InputSlot slot, string datatype, scoped ReadOnlySpan<long> shape, Violations violations)
    {
        if (!slot.TryBegin(violations) || !slot.TryShape(datatype, shape, violations)) return false;
        if (JsonValues.TryReadArray(ref reader, slot) is not { } broken) return true;
        violations.Add(slot.Layout.Name, broken);
        // The reader stands amid the values: what follows cannot be judged.
        violations.ThrowIfAny("INPUT_INVALID");
        return true;
    }

    private static void ReadOutputs(ref Utf8JsonReader reader, List<RequestedOutput> outputs)
    {
        reader.Read();
        Expect(ref reader, JsonTokenType.StartArray, "'outputs' must be an array");
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            Expect(ref reader, JsonTokenType.StartObject, "an element of 'outputs' must be an object");
            string? name = null;
            bool? isBinary = null;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("parameters"u8))
                {
                    isBinary = InferParameters.Read(ref reader).IsBinary;
                    continue;
                }

                var isName = reader.ValueTextEquals("name"u8);
                reader.Read();
                if (isName && reader.TokenType == JsonTokenType.String) name = reader.GetString();
                else reader.Skip();
            }

            outputs.Add(new RequestedOutput(name ?? throw Invalid("an element of 'outputs' must have a 'name'"), isBinary));
        }
    }

    private static void Expect(ref Utf8JsonReader reader, JsonTokenType token, string rule)
    {
        if (reader.TokenType != token) throw Invalid(rule);
    }

    private static InvalidRequestException Invalid(string message) => new("JSON_INVALID", message);
}
