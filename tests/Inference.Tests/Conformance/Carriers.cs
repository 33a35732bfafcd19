using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Grpc.Core;
using MlOps.Contracts.OpenInference;

namespace MlOps.Inference.Tests.Conformance;

/// <summary>The ways the protocol has tensors travel.</summary>
public enum Carrier
{
    /// <summary>REST, values in one flat array.</summary>
    JsonFlat,

    /// <summary>REST, values in arrays nested like the shape.</summary>
    JsonNested,

    /// <summary>REST, the binary tensor extension both ways.</summary>
    Binary,

    /// <summary>gRPC, typed contents.</summary>
    Typed,

    /// <summary>gRPC, raw_input_contents.</summary>
    Raw,
}

/// <summary>An answer in words that both protocols share.</summary>
/// <param name="Kind">OK, INVALID_ARGUMENT, NOT_FOUND, UNAVAILABLE, UNIMPLEMENTED, or what else came.</param>
/// <param name="Error">Text of the refusal; empty: answered.</param>
/// <param name="Version">Version that answered.</param>
/// <param name="Outputs">Names of the outputs, in order, with their values as raw little-endian bytes.</param>
internal sealed record Outcome(string Kind, string Error, string Version, IReadOnlyList<(string Name, string Datatype, byte[] Raw)> Outputs);

/// <summary>Sends one inference by any carrier.</summary>
internal static class Carriers
{
    public static readonly Carrier[] All = Enum.GetValues<Carrier>();

    /// <summary>Carriers a datatype has a form in: FP16 and BF16 exist as bytes only.</summary>
    public static IEnumerable<Carrier> Of(string datatype) =>
        datatype is "FP16" or "BF16" ? [Carrier.Binary, Carrier.Raw] : All;

    public static Task<Outcome> InferAsync(
        this InferenceFixture services, Carrier carrier, string model, string version, Tensor[] tensors, params string[] outputs) => carrier switch
        {
            Carrier.JsonFlat => services.PostAsync(model, version, JsonOf(tensors, isNested: false, outputs), null),
            Carrier.JsonNested => services.PostAsync(model, version, JsonOf(tensors, isNested: true, outputs), null),
            Carrier.Binary => services.PostBinaryAsync(model, version, tensors, outputs),
            _ => services.CallAsync(RequestOf(model, version, carrier == Carrier.Raw, tensors, outputs)),
        };

    public static ModelInferRequest RequestOf(string model, string version, bool isRaw, Tensor[] tensors, params string[] outputs)
    {
        var request = Tensor.ToRequest(model, isRaw, tensors);
        request.ModelVersion = version;
        request.Outputs.Add(outputs.Select(o => new ModelInferRequest.Types.InferRequestedOutputTensor { Name = o }));
        return request;
    }

    public static async Task<Outcome> CallAsync(this InferenceFixture services, ModelInferRequest request, CallOptions options = default)
    {
        try
        {
            var answer = await services.Tensors.ModelInferAsync(request, options);
            return new Outcome("OK", "", answer.ModelVersion, [.. answer.Outputs.Select((o, i) => (o.Name, o.Datatype, RawOf(answer, i)))]);
        }
        catch (RpcException e)
        {
            return new Outcome(Words(e.StatusCode), e.Status.Detail, "", []);
        }
    }

    /// <summary>Posts an infer request as it stands; a header length means that binary tensors follow the JSON.</summary>
    public static async Task<Outcome> PostAsync(
        this InferenceFixture services, string model, string version, byte[] body, string? headerLength, string? encoding = null)
    {
        var reply = await services.Http.PostBytesAsync(PathOf(model, version), body, headerLength, encoding);
        return OutcomeOf(reply);
    }

    /// <summary>What a status means, in the words of gRPC.</summary>
    public static string Words(HttpStatusCode status) => status switch
    {
        HttpStatusCode.OK => "OK",
        HttpStatusCode.BadRequest => "INVALID_ARGUMENT",
        HttpStatusCode.NotFound => "NOT_FOUND",
        HttpStatusCode.ServiceUnavailable => "UNAVAILABLE",
        HttpStatusCode.NotImplemented => "UNIMPLEMENTED",
        _ => $"HTTP {(int)status}",
    };

    public static string Words(StatusCode status) => status switch
    {
        StatusCode.InvalidArgument => "INVALID_ARGUMENT",
        StatusCode.NotFound => "NOT_FOUND",
        StatusCode.Unavailable => "UNAVAILABLE",
        StatusCode.Unimplemented => "UNIMPLEMENTED",
        _ => $"gRPC {status}",
    };

    public static byte[] JsonOf(Tensor[] tensors, bool isNested, string[] outputs)
    {
        var request = JsonNode.Parse(Tensor.ToJson(tensors))!.AsObject();
        if (isNested)
        {
            foreach (var (tensor, node) in tensors.Zip(request["inputs"]!.AsArray()))
            {
                node!["data"] = Nest([.. node["data"]!.AsArray().Select(v => v?.DeepClone())], tensor.Shape);
            }
        }

        if (outputs.Length > 0) request["outputs"] = new JsonArray([.. outputs.Select(o => new JsonObject { ["name"] = o })]);
        return Encoding.UTF8.GetBytes(request.ToJsonString());
    }

    private static async Task<Outcome> PostBinaryAsync(
        this InferenceFixture services, string model, string version, Tensor[] tensors, string[] outputs)
    {
        var (json, binary) = BinaryRequest.Of(tensors, request =>
        {
            if (outputs.Length > 0) request["outputs"] = new JsonArray([.. outputs.Select(o => new JsonObject { ["name"] = o })]);
        });
        return await services.PostAsync(model, version, [.. json, .. binary], json.Length.ToString(CultureInfo.InvariantCulture));
    }

    private static string PathOf(string model, string version) =>
        version.Length == 0 ? $"v2/models/{model}/infer" : $"v2/models/{model}/versions/{version}/infer";

    private static Outcome OutcomeOf(BinaryReply reply)
    {
        if (reply.Status != HttpStatusCode.OK) return new Outcome(Words(reply.Status), reply.Json.GetProperty("error").GetString()!, "", []);
        var outputs = new List<(string, string, byte[])>();
        var binary = 0;
        foreach (var output in reply.Json.GetProperty("outputs").EnumerateArray())
        {
            var datatype = output.GetProperty("datatype").GetString()!;
            outputs.Add((output.GetProperty("name").GetString()!, datatype, output.TryGetProperty("data", out var data)
                ? [.. data.EnumerateArray().SelectMany(v => Tensor.Raw(datatype, ValueOf(datatype, v)))]
                : reply.Tensors[binary++]));
        }

        return new Outcome("OK", "", reply.Json.GetProperty("model_version").GetString()!, outputs);
    }

    private static byte[] RawOf(ModelInferResponse answer, int i)
    {
        if (answer.RawOutputContents.Count > 0) return answer.RawOutputContents[i].ToByteArray();
        var datatype = answer.Outputs[i].Datatype;
        var c = answer.Outputs[i].Contents;
        object[] values =
        [
            .. c.BoolContents.Cast<object>(), .. c.Int64Contents.Cast<object>(), .. c.Uint64Contents.Cast<object>(),
            .. c.Fp32Contents.Cast<object>(), .. c.Fp64Contents.Cast<object>(), .. c.BytesContents.Select(b => b.ToStringUtf8()),
            .. c.IntContents.Select(v => datatype switch { "INT8" => (sbyte)v, "INT16" => (short)v, _ => (object)v }),
            .. c.UintContents.Select(v => datatype switch { "UINT8" => (byte)v, "UINT16" => (ushort)v, _ => (object)v }),
        ];
        return [.. values.SelectMany(v => Tensor.Raw(datatype, v))];
    }

    private static object? ValueOf(string datatype, JsonElement value) => datatype switch
    {
        "FP32" => value.ValueKind == JsonValueKind.Null ? float.NaN : value.GetSingle(),
        "FP64" => value.ValueKind == JsonValueKind.Null ? double.NaN : value.GetDouble(),
        "INT8" => value.GetSByte(),
        "INT16" => value.GetInt16(),
        "INT32" => value.GetInt32(),
        "INT64" => value.GetInt64(),
        "UINT8" => value.GetByte(),
        "UINT16" => value.GetUInt16(),
        "UINT32" => value.GetUInt32(),
        "UINT64" => value.GetUInt64(),
        "BOOL" => value.GetBoolean(),
        _ => value.GetString(),
    };

    private static JsonArray Nest(ReadOnlySpan<JsonNode?> values, ReadOnlySpan<long> shape)
    {
        var array = new JsonArray();
        if (shape.Length == 1)
        {
            foreach (var value in values) array.Add(value);
            return array;
        }

        var width = values.Length / (int)shape[0];
        for (var i = 0; i < shape[0]; i++) array.Add(Nest(values.Slice(i * width, width), shape[1..]));
        return array;
    }
}
