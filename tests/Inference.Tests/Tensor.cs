using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Google.Protobuf;
using MlOps.Contracts.OpenInference;

namespace MlOps.Inference.Tests;

/// <summary>One input as a test states it, to be sent by either protocol.</summary>
public sealed record Tensor(string Name, string Datatype, long[] Shape, params object?[] Values)
{
    public static Tensor Fp32(string name, params float[] values) => new(name, "FP32", [values.Length, 1], [.. values.Cast<object?>()]);

    public static Tensor Bytes(string name, params string[] values) => new(name, "BYTES", [values.Length, 1], [.. values]);

    public static string ToJson(IEnumerable<Tensor> tensors) => new JsonObject
    {
        ["inputs"] = new JsonArray([.. tensors.Select(t => new JsonObject
        {
            ["name"] = t.Name,
            ["shape"] = new JsonArray([.. t.Shape.Select(s => (JsonNode)s)]),
            ["datatype"] = t.Datatype,
            ["data"] = new JsonArray([.. t.Values.Select(ToNode)]),
        })]),
    }.ToJsonString();

    public static ModelInferRequest ToRequest(string model, bool isRaw, IEnumerable<Tensor> tensors)
    {
        var request = new ModelInferRequest { ModelName = model };
        foreach (var t in tensors)
        {
            var input = new ModelInferRequest.Types.InferInputTensor { Name = t.Name, Datatype = t.Datatype, Shape = { t.Shape } };
            if (isRaw) request.RawInputContents.Add(ByteString.CopyFrom([.. t.Values.SelectMany(v => Raw(t.Datatype, v))]));
            else input.Contents = t.ToContents();
            request.Inputs.Add(input);
        }

        return request;
    }

    private static JsonNode? ToNode(object? value) => value switch
    {
        null => null,
        float f when float.IsFinite(f) => JsonNode.Parse(f.ToString("R", CultureInfo.InvariantCulture)),
        float f when float.IsNaN(f) => null,
        float => JsonNode.Parse("1e39"),
        string s => JsonValue.Create(s),
        System.Half h => JsonValue.Create((float)h),
        _ => JsonSerializer.SerializeToNode(value),
    };

    private InferTensorContents ToContents()
    {
        var c = new InferTensorContents();
        foreach (var value in Values)
        {
            switch (value)
            {
                case float v: c.Fp32Contents.Add(v); break;
                case double v: c.Fp64Contents.Add(v); break;
                case long v: c.Int64Contents.Add(v); break;
                case ulong v: c.Uint64Contents.Add(v); break;
                case int v: c.IntContents.Add(v); break;
                case short v: c.IntContents.Add(v); break;
                case sbyte v: c.IntContents.Add(v); break;
                case uint v: c.UintContents.Add(v); break;
                case ushort v: c.UintContents.Add(v); break;
                case byte v: c.UintContents.Add(v); break;
                case bool v: c.BoolContents.Add(v); break;
                case string v: c.BytesContents.Add(ByteString.CopyFromUtf8(v)); break;
                case null: c.Fp32Contents.Add(float.NaN); break;
                default: throw new NotSupportedException(value.GetType().Name);
            }
        }

        return c;
    }

    public static byte[] Raw(string datatype, object? value) => value switch
    {
        float v => BitConverter.GetBytes(v),
        double v => BitConverter.GetBytes(v),
        long v => BitConverter.GetBytes(v),
        ulong v => BitConverter.GetBytes(v),
        int v => BitConverter.GetBytes(v),
        uint v => BitConverter.GetBytes(v),
        short v => BitConverter.GetBytes(v),
        ushort v => BitConverter.GetBytes(v),
        System.Half v => BitConverter.GetBytes(v),
        sbyte v => [unchecked((byte)v)],
        byte v => [v],
        bool v => [v ? (byte)1 : (byte)0],
        string v => Prefixed(Encoding.UTF8.GetBytes(v)),
        null => BitConverter.GetBytes(float.NaN),
        _ => throw new NotSupportedException($"{datatype} {value.GetType().Name}"),
    };

    private static byte[] Prefixed(byte[] text)
    {
        var all = new byte[4 + text.Length];
        BinaryPrimitives.WriteInt32LittleEndian(all, text.Length);
        text.CopyTo(all, 4);
        return all;
    }
}
