using System.Text.Json;
using Google.Protobuf.Collections;
using Grpc.Core;
using MlOps.Contracts.OpenInference;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Protocol;

/// <summary>
/// What is understood of a request's, input's or output's parameters. Others are let be, but for those whose neglect
/// would make the answer another than the one asked for. <see cref="ExplainParameters"/> reads those of an explanation.
/// </summary>
internal readonly record struct InferParameters(bool? IsBinary, long? BinarySize, bool HasExplain)
{
    private static readonly string[] NotServed = ["classification", "shared_memory_region"];

    /// <summary>Reads the object after the property the reader stands on.</summary>
    /// <exception cref="InvalidRequestException">JSON_INVALID: a value of another kind than the parameter has.</exception>
    /// <exception cref="RpcException">Unimplemented.</exception>
    public static InferParameters Read(ref Utf8JsonReader reader)
    {
        bool? isBinary = null;
        long? binarySize = null;
        var hasExplain = false;
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject) throw Invalid("'parameters' must be an object");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            foreach (var name in NotServed) RefuseIf(reader.ValueTextEquals(name), name);
            var isFlag = reader.ValueTextEquals("binary_data"u8) || reader.ValueTextEquals("binary_data_output"u8);
            hasExplain |= reader.ValueSpan.StartsWith("explain"u8);
            var isSize = reader.ValueTextEquals("binary_data_size"u8);
            reader.Read();
            if (isFlag)
            {
                if (reader.TokenType is not (JsonTokenType.True or JsonTokenType.False))
                {
                    throw Invalid("'binary_data' and 'binary_data_output' must be true or false");
                }

                isBinary = reader.GetBoolean();
            }
            else if (isSize)
            {
                if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out var size) || size < 0)
                {
                    throw Invalid("'binary_data_size' must be a number of bytes");
                }

                binarySize = size;
            }
            else if (reader.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray)
            {
                throw Invalid("a parameter must be a string, a number or a boolean");
            }
        }

        return new InferParameters(isBinary, binarySize, hasExplain);
    }

    /// <exception cref="RpcException">Unimplemented.</exception>
    public static void Check(MapField<string, InferParameter> parameters)
    {
        if (parameters.Count == 0) return;
        foreach (var name in NotServed) RefuseIf(parameters.ContainsKey(name), name);
    }

    private static void RefuseIf(bool isAsked, string name)
    {
        if (!isAsked) return;
        throw new RpcException(
            new Status(StatusCode.Unimplemented, $"The parameter '{name}' is not served."), new Metadata { { "mlops-code", "UNIMPLEMENTED" } });
    }

    private static InvalidRequestException Invalid(string message) => new("JSON_INVALID", message);
}
