using System.Text;
using System.Text.Json.Nodes;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using MlOps.Contracts.OpenInference;
using MlOps.TestServers;

namespace MlOps.Inference.Tests.Conformance;

/// <summary>The bytes on the wire: what Protocol Buffers, JSON and compression allow besides what our own client sends.</summary>
[Collection(nameof(InferenceFixture))]
public sealed class WireTests(InferenceFixture services)
{
    private static readonly Marshaller<byte[]> AsIs = Marshallers.Create(bytes => bytes, bytes => bytes);
    private static readonly Method<byte[], byte[]> Infer =
        new(MethodType.Unary, "inference.GRPCInferenceService", "ModelInfer", AsIs, AsIs);

    /// <summary>Messages that mean the good request, each written in another way. One message after another is their merge.</summary>
    private static readonly Dictionary<string, Func<string, byte[]>> Alike = new()
    {
        ["as our client writes it"] = model => Good(model).ToByteArray(),
        ["fields from the last to the first"] = model =>
        [
            .. Part(r => r.RawInputContents.Add(Good(model).RawInputContents)), .. Part(r => r.Inputs.Add(Good(model).Inputs)),
            .. Part(r => r.ModelName = model),
        ],
        ["inputs and buffers in turn"] = model =>
        [
            .. Part(r => r.Inputs.Add(Good(model).Inputs[0])), .. Part(r => r.RawInputContents.Add(Good(model).RawInputContents[0])),
            .. Part(r => r.ModelName = model), .. Part(r => r.Inputs.Add(Good(model).Inputs[1])),
            .. Part(r => r.RawInputContents.Add(Good(model).RawInputContents[1])),
        ],
        ["a name that comes twice: the last counts"] = model => [.. Part(r => r.ModelName = "no-such-model"), .. Good(model).ToByteArray()],
        ["fields nobody knows"] = model =>
        [
            .. Unknown, .. Good(model).ToByteArray(), .. Unknown,
        ],
        ["an input with fields nobody knows"] = model =>
        [
            .. Part(r => r.ModelName = model), .. Part(r => r.RawInputContents.Add(Good(model).RawInputContents)),
            .. Field(5, [.. Unknown, .. Good(model).Inputs[0].ToByteArray()]), .. Field(5, [.. Good(model).Inputs[1].ToByteArray(), .. Unknown]),
        ],
        ["a shape that is not packed, and one in two pieces"] = model =>
        [
            .. Part(r => r.ModelName = model), .. Part(r => r.RawInputContents.Add(Good(model).RawInputContents)),
            .. Field(5, [.. Text(1, "a"), .. Text(2, "FP32"), 3 << 3, 2, 3 << 3, 2]),
            .. Field(5, [.. Field(3, [2]), .. Text(1, "b"), .. Text(2, "BYTES"), .. Field(3, [1])]),
        ],
        ["typed values that are not packed, and in pieces"] = model =>
        [
            .. Part(r => r.ModelName = model),
            .. Field(5, [.. Text(1, "a"), .. Text(2, "FP32"), .. Field(3, [2, 2]), .. Field(5,
            [
                (6 << 3) | 5, .. BitConverter.GetBytes(1f), .. Field(6, [.. BitConverter.GetBytes(2f), .. BitConverter.GetBytes(3f)]),
            ]), .. Field(5, [(6 << 3) | 5, .. BitConverter.GetBytes(4f)])]),
            .. Field(5, new ModelInferRequest.Types.InferInputTensor
            {
                Name = "b", Datatype = "BYTES", Shape = { 2, 1 },
                Contents = new InferTensorContents { BytesContents = { ByteString.CopyFromUtf8("one"), ByteString.Empty } },
            }.ToByteArray()),
        ],
        ["parameters of every kind"] = model =>
        [
            .. Good(model).ToByteArray(), .. Part(r =>
            {
                r.Parameters["sequence_id"] = new InferParameter { Int64Param = 7 };
                r.Parameters["sequence_start"] = new InferParameter { BoolParam = true };
                r.Parameters["priority"] = new InferParameter { Uint64Param = ulong.MaxValue };
                r.Parameters["timeout"] = new InferParameter { Int64Param = -1 };
                r.Parameters["temperature"] = new InferParameter { DoubleParam = double.NaN };
                r.Parameters["text"] = new InferParameter { StringParam = "\0ü" };
                r.Parameters["nothing"] = new InferParameter();
            }),
        ],
    };

    public static TheoryData<string> Writings => [.. Alike.Keys];

    [ServerTheory]
    [MemberData(nameof(Writings))]
    public async Task A_message_means_the_same_however_it_is_written(string writing)
    {
        var model = await services.NewModelAsync(Pair.Onnx, Pair.Signature);
        using var channel = GrpcChannel.ForAddress(services.Inference.Grpc);

        var answer = ModelInferResponse.Parser.ParseFrom(
            await channel.CreateCallInvoker().AsyncUnaryCall(Infer, null, default, Alike[writing](model)).ResponseAsync);

        var raws = answer.RawOutputContents.Count > 0
            ? answer.RawOutputContents.Select(r => r.ToByteArray())
            : [[.. answer.Outputs[0].Contents.Fp32Contents.SelectMany(BitConverter.GetBytes)], Pair.RawOf(Pair.B)];
        Assert.Equal([Pair.RawOf(Pair.A), Pair.RawOf(Pair.B)], raws);
        Assert.Equal(["p", "q"], answer.Outputs.Select(o => o.Name));
    }

    [ServerFact]
    public async Task A_message_cut_anywhere_is_refused_and_never_for_an_unknown_reason_where_it_is_well_formed()
    {
        var model = await services.NewModelAsync(Pair.Onnx, Pair.Signature);
        using var channel = GrpcChannel.ForAddress(services.Inference.Grpc);
        var whole = Good(model).ToByteArray();

        for (var length = 0; length < whole.Length; length++)
        {
            var cut = whole[..length];
            var isWellFormed = IsWellFormed(cut);
            var refused = await Assert.ThrowsAsync<RpcException>(
                () => channel.CreateCallInvoker().AsyncUnaryCall(Infer, null, default, cut).ResponseAsync);
            Assert.True(
                !isWellFormed || refused.StatusCode is StatusCode.InvalidArgument or StatusCode.NotFound, $"{length} bytes: {refused.Status}");
        }
    }

    [ServerTheory]
    [InlineData("gzip", "OK")]
    [InlineData("deflate", "OK")]
    [InlineData("identity", "OK")]
    public async Task Messages_may_be_compressed(string encoding, string expected)
    {
        var model = await services.NewModelAsync(Pair.Onnx, Pair.Signature);

        var outcome = await services.CallAsync(
            Carriers.RequestOf(model, "", true, Pair.Good), new CallOptions(new Metadata { { "grpc-internal-encoding-request", encoding } }));

        Assert.Equal((expected, ""), (outcome.Kind, outcome.Error));
    }

    [ServerTheory]
    [InlineData("gzip")]
    [InlineData("deflate")]
    public async Task Bodies_may_be_compressed_whatever_they_hold(string encoding)
    {
        var model = await services.NewModelAsync(Pair.Onnx, Pair.Signature);
        var (json, binary) = BinaryRequest.Of(Pair.Good);

        var text = await services.PostAsync(model, "", Carriers.JsonOf(Pair.Good, true, []), null, encoding);
        var mixed = await services.PostAsync(model, "", [.. json, .. binary], $"{json.Length}", encoding);

        foreach (var outcome in (Outcome[])[text, mixed])
        {
            Assert.Equal([Pair.RawOf(Pair.A), Pair.RawOf(Pair.B)], outcome.Outputs.Select(o => o.Raw));
        }
    }

    /// <summary>Bodies that mean the good request.</summary>
    [ServerTheory]
    [InlineData("""{"inputs":[{"name":"a","shape":[2,2],"datatype":"FP32","data":[1,2,3,4]},{"name":"b","shape":[2,1],"datatype":"BYTES","data":["one",""]}]}""")]
    [InlineData("""{"inputs":[{"data":[["one"],[""]],"datatype":"BYTES","shape":[2,1],"name":"b"},{"data":[[1,2],[3,4]],"datatype":"FP32","shape":[2,2],"name":"a"}]}""")]
    [InlineData(" \r\n\t{ \"inputs\" : [ {\"name\":\"a\" ,\"shape\":[ 2 , 2 ],\"datatype\":\"FP32\",\"data\":[1.0,2e0,0.3E1,4]} , {\"name\":\"\\u0062\",\"shape\":[2,1],\"datatype\":\"BYTES\",\"data\":[\"\\u006fne\",\"\"]} ] } \n")]
    [InlineData("""{"later":{"a":[{}]},"inputs":[{"name":"a","shape":[2,2],"datatype":"FP32","data":[1,2,3,4],"parameters":{"content_type":"np"},"more":null},{"name":"b","shape":[2,1],"datatype":"BYTES","data":["one",""]}],"parameters":{"priority":1,"timeout":5,"sequence_id":"s","sequence_start":true,"x":1.5},"outputs":[]}""")]
    public async Task A_body_means_the_same_however_it_is_written(string body)
    {
        var model = await services.NewModelAsync(Pair.Onnx, Pair.Signature);

        var outcome = await services.PostAsync(model, "", Encoding.UTF8.GetBytes(body), null);

        Assert.Equal([Pair.RawOf(Pair.A), Pair.RawOf(Pair.B)], outcome.Outputs.Select(o => o.Raw));
    }

    [ServerFact]
    public async Task A_body_cut_anywhere_is_refused()
    {
        var model = await services.NewModelAsync(Pair.Onnx, Pair.Signature);
        var text = Carriers.JsonOf(Pair.Good, true, ["p"]);
        var (json, binary) = BinaryRequest.Of(Pair.Good);
        byte[] mixed = [.. json, .. binary];

        for (var length = 0; length < text.Length; length++)
            Assert.Equal("INVALID_ARGUMENT", (await services.PostAsync(model, "", text[..length], null)).Kind);
        for (var length = 0; length < mixed.Length; length++)
            Assert.Equal("INVALID_ARGUMENT", (await services.PostAsync(model, "", mixed[..length], $"{json.Length}")).Kind);
    }

    [ServerTheory]
    [InlineData("""{"parameters":{"priority":[1]}}""")]
    [InlineData("""{"parameters":{"priority":{}}}""")]
    [InlineData("""{"parameters":1}""")]
    [InlineData("""{"id":1}""")]
    [InlineData("""{"id":null}""")]
    [InlineData("""{"outputs":{}}""")]
    [InlineData("""{"outputs":[{"name":1}]}""")]
    [InlineData("""{"outputs":["p"]}""")]
    public async Task A_part_of_another_kind_than_the_protocol_has_is_refused(string part)
    {
        var model = await services.NewModelAsync(Pair.Onnx, Pair.Signature);
        var request = JsonNode.Parse(Carriers.JsonOf(Pair.Good, false, []))!.AsObject();
        foreach (var (name, value) in JsonNode.Parse(part)!.AsObject()) request[name] = value?.DeepClone();

        Assert.Equal("INVALID_ARGUMENT", (await services.PostAsync(model, "", Encoding.UTF8.GetBytes(request.ToJsonString()), null)).Kind);
    }

    [ServerFact]
    public async Task A_depth_without_end_is_refused()
    {
        var model = await services.NewModelAsync(Pair.Onnx, Pair.Signature);
        var deep = $$"""{"later":{{new string('[', 100_000)}}{{new string(']', 100_000)}},"inputs":[]}""";

        Assert.Equal("INVALID_ARGUMENT", (await services.PostAsync(model, "", Encoding.UTF8.GetBytes(deep), null)).Kind);
    }

    [ServerTheory]
    [InlineData("classification")]
    [InlineData("shared_memory_region")]
    public async Task A_parameter_whose_neglect_would_change_the_answer_is_unimplemented(string name)
    {
        var model = await services.NewModelAsync(Pair.Onnx, Pair.Signature);
        var onInput = Carriers.RequestOf(model, "", true, Pair.Good);
        onInput.Inputs[0].Parameters[name] = new InferParameter { Int64Param = 1 };
        var onOutput = Carriers.RequestOf(model, "", true, Pair.Good, "p");
        onOutput.Outputs[0].Parameters[name] = new InferParameter { Int64Param = 1 };
        var body = JsonNode.Parse(Carriers.JsonOf(Pair.Good, false, ["p"]))!.AsObject();
        body["outputs"]![0]!["parameters"] = new JsonObject { [name] = 1 };

        Assert.Equal("UNIMPLEMENTED", (await services.CallAsync(onInput)).Kind);
        Assert.Equal("UNIMPLEMENTED", (await services.CallAsync(onOutput)).Kind);
        Assert.Equal("UNIMPLEMENTED", (await services.PostAsync(model, "", Encoding.UTF8.GetBytes(body.ToJsonString()), null)).Kind);
    }

    [ServerTheory]
    [InlineData("")]
    [InlineData("7")]
    [InlineData("a \"b\" \\ ü ☃ \u0001")]
    public async Task An_id_is_echoed(string id)
    {
        var model = await services.NewModelAsync(Pair.Onnx, Pair.Signature);
        var request = Carriers.RequestOf(model, "", true, Pair.Good);
        request.Id = id;
        var body = JsonNode.Parse(Carriers.JsonOf(Pair.Good, false, []))!.AsObject();
        body["id"] = id;

        var rest = await services.Http.PostJsonAsync($"v2/models/{model}/infer", body.ToJsonString());

        Assert.Equal(id, (await services.Tensors.ModelInferAsync(request)).Id);
        Assert.Equal(id, rest.Json.GetProperty("id").GetString());
    }

    // Fields 99 to 103, one of each wire type.
    private static byte[] Unknown =>
    [
        0x98, 0x06, 0xFF, 0xFF, 0x03, 0xA2, 0x06, 0x03, 1, 2, 3, 0xAD, 0x06, 1, 2, 3, 4, 0xB1, 0x06, 1, 2, 3, 4, 5, 6, 7, 8,
        0xBB, 0x06, 0x08, 0x01, 0xBC, 0x06,
    ];

    private static ModelInferRequest Good(string model) => Carriers.RequestOf(model, "", true, Pair.Good);

    private static byte[] Part(Action<ModelInferRequest> fill)
    {
        var part = new ModelInferRequest();
        fill(part);
        return part.ToByteArray();
    }

    private static byte[] Text(int field, string text) => Field(field, Encoding.UTF8.GetBytes(text));

    private static byte[] Field(int field, byte[] content)
    {
        Assert.True(content.Length < 1 << 14);
        return content.Length < 0x80
            ? [(byte)((field << 3) | 2), (byte)content.Length, .. content]
            : [(byte)((field << 3) | 2), (byte)(content.Length | 0x80), (byte)(content.Length >> 7), .. content];
    }

    private static bool IsWellFormed(byte[] message)
    {
        try
        {
            ModelInferRequest.Parser.ParseFrom(message);
            return true;
        }
        catch (InvalidProtocolBufferException)
        {
            return false;
        }
    }
}
