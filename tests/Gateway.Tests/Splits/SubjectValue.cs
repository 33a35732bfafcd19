using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Nodes;
using Google.Protobuf;
using MlOps.Contracts.Inference.V1;
using MlOps.Contracts.OpenInference;
using MlOps.Contracts.Tables.V1;

namespace MlOps.Gateway.Tests.Splits;

/// <summary>One value of an input named <c>user</c> in every form in which the protocols carry it.</summary>
internal sealed record SubjectValue(string Datatype, object Value)
{
    public const string Input = "user";

    /// <summary>Keys of all kinds: whole numbers, texts of any script with what JSON must escape, fractions, booleans.</summary>
    public static IEnumerable<SubjectValue> Many(int count, int seed)
    {
        var random = new Random(seed);
        string[] odd = ["a,b", "tab\tand \"quotes\" \\ /", "Zoë", "東京", "\U0001F600 face", " spaces ", "null", "0", new string('x', 500)];
        for (var i = 0; i < count; i++)
        {
            yield return (i % 8) switch
            {
                0 => new SubjectValue("INT64", random.NextInt64(long.MinValue, long.MaxValue)),
                1 => new SubjectValue("BYTES", $"user-{random.Next()}"),
                2 => new SubjectValue("BYTES", odd[random.Next(odd.Length)] + (i % 3 == 0 ? "" : random.Next().ToString(null, null)[^1..])[..Math.Min(1, i % 3)]),
                3 => new SubjectValue("INT32", random.Next(int.MinValue, int.MaxValue)),
                4 => new SubjectValue("FP64", i % 16 == 4 ? random.Next() : random.NextDouble() * 1000),
                5 => new SubjectValue("FP32", i % 16 == 5 ? random.Next(1 << 24) : random.NextSingle()),
                6 => new SubjectValue("UINT64", (ulong)random.NextInt64() * 2 + 1),
                _ => new SubjectValue("BOOL", random.Next(2) == 1),
            };
        }
    }

    public JsonNode Json => Value switch
    {
        string text => JsonValue.Create(text),
        bool flag => JsonValue.Create(flag),
        long number => JsonValue.Create(number),
        int number => JsonValue.Create(number),
        ulong number => JsonValue.Create(number),
        float number => JsonValue.Create(number),
        _ => JsonValue.Create((double)Value),
    };

    private byte[] Raw
    {
        get
        {
            var bytes = new byte[8];
            switch (Value)
            {
                case string text:
                    var utf8 = Encoding.UTF8.GetBytes(text);
                    BinaryPrimitives.WriteInt32LittleEndian(bytes, utf8.Length);
                    return [.. bytes[..4], .. utf8];
                case bool flag:
                    return [flag ? (byte)1 : (byte)0];
                case int number:
                    BinaryPrimitives.WriteInt32LittleEndian(bytes, number);
                    return bytes[..4];
                case float number:
                    BinaryPrimitives.WriteSingleLittleEndian(bytes, number);
                    return bytes[..4];
                case ulong number:
                    BinaryPrimitives.WriteUInt64LittleEndian(bytes, number);
                    return bytes;
                case long number:
                    BinaryPrimitives.WriteInt64LittleEndian(bytes, number);
                    return bytes;
                default:
                    BinaryPrimitives.WriteDoubleLittleEndian(bytes, (double)Value);
                    return bytes;
            }
        }
    }

    /// <summary>After another input, which must not be taken for it.</summary>
    public ModelInferRequest Typed(string model) => new()
    {
        ModelName = model,
        Inputs =
        {
            Tensor("other", "FP32", new InferTensorContents { Fp32Contents = { 1, 2, 3 } }),
            Tensor(Input, Datatype, Contents),
            Tensor("last", "INT64", new InferTensorContents { Int64Contents = { 1 } }),
        },
    };

    public ModelInferRequest InRaw(string model) => new()
    {
        ModelName = model,
        Inputs = { Tensor("other", "FP32", null), Tensor(Input, Datatype, null) },
        RawInputContents = { ByteString.CopyFrom(new byte[12]), ByteString.CopyFrom(Raw) },
    };

    public byte[] OpenInferenceJson => Bytes(new JsonObject
    {
        ["id"] = "1",
        ["inputs"] = new JsonArray(
            new JsonObject { ["name"] = "other", ["shape"] = new JsonArray(1, 2), ["datatype"] = "FP32", ["data"] = new JsonArray(1.5, 2) },
            new JsonObject { ["name"] = Input, ["shape"] = new JsonArray(1, 1), ["datatype"] = Datatype, ["data"] = new JsonArray(new JsonArray(Json)) }),
    });

    /// <summary>The binary tensor extension: JSON, then raw tensors.</summary>
    public (byte[] Body, int JsonLength) OpenInferenceBinary
    {
        get
        {
            var raw = Raw;
            var json = Bytes(new JsonObject
            {
                ["inputs"] = new JsonArray(
                    new JsonObject { ["name"] = "other", ["shape"] = new JsonArray(3), ["datatype"] = "FP32", ["parameters"] = new JsonObject { ["binary_data_size"] = 12 } },
                    new JsonObject { ["name"] = Input, ["shape"] = new JsonArray(1), ["datatype"] = Datatype, ["parameters"] = new JsonObject { ["binary_data_size"] = raw.Length } }),
            });
            return ([.. json, .. new byte[12], .. raw], json.Length);
        }
    }

    public byte[] RowsJson => Bytes(new JsonObject
    {
        ["include_features"] = false,
        ["rows"] = new JsonArray(
            new JsonObject { ["hour"] = 7.5, [Input] = Json }, new JsonObject { ["hour"] = 7.5, [Input] = Json }),
    });

    public byte[] InstancesJson => Bytes(new JsonObject { ["instances"] = new JsonArray(new JsonObject { [Input] = Json }) });

    /// <summary>Null where a table has no column of such values.</summary>
    public PredictRequest? Rows(string model)
    {
        var column = new Column { Name = Input };
        switch (Value)
        {
            case string text:
                column.Texts = new TextValues { Values = { text, "second" } };
                break;
            case bool flag:
                column.Booleans = new BooleanValues { Values = { flag, !flag } };
                break;
            case long or int:
                column.Integers = new IntegerValues { Values = { Convert.ToInt64(Value, null), 0 } };
                break;
            case double number:
                column.Doubles = new DoubleValues { Values = { number, 0 } };
                break;
            default:
                return null;
        }

        return new PredictRequest
        {
            Model = model,
            Rows = new Table { Columns = { new Column { Name = "hour", Doubles = new DoubleValues { Values = { 7.5, 8 } } }, column } },
        };
    }

    private InferTensorContents Contents => Value switch
    {
        string text => new InferTensorContents { BytesContents = { ByteString.CopyFromUtf8(text), ByteString.CopyFromUtf8("second") } },
        bool flag => new InferTensorContents { BoolContents = { flag } },
        int number => new InferTensorContents { IntContents = { number, 1 } },
        long number => new InferTensorContents { Int64Contents = { number } },
        ulong number => new InferTensorContents { Uint64Contents = { number } },
        float number => new InferTensorContents { Fp32Contents = { number } },
        _ => new InferTensorContents { Fp64Contents = { (double)Value } },
    };

    private static ModelInferRequest.Types.InferInputTensor Tensor(string name, string datatype, InferTensorContents? contents) =>
        new() { Name = name, Datatype = datatype, Shape = { 1, 1 }, Contents = contents };

    private static byte[] Bytes(JsonObject json) => Encoding.UTF8.GetBytes(json.ToJsonString());
}
