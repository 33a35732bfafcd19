using System.Net;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json.Nodes;
using MlOps.TestServers;

namespace MlOps.Inference.Tests;

/// <summary>The binary tensor extension and compressed bodies over REST.</summary>
[Collection(nameof(InferenceFixture))]
public sealed class BinaryTests(InferenceFixture services)
{
    private static readonly Tensor[] ThreeRows =
    [
        Tensor.Fp32("distance", 719.25f, float.NaN, 1e-3f),
        Tensor.Fp32("hour", 8, 17.1f, 23.999f),
        Tensor.Bytes("origin", "ATL", "", "Zürich \"x\""),
    ];

    public static TheoryData<string> Datatypes => [.. Graphs.Types.Select(t => t.Datatype)];

    [ServerTheory]
    [MemberData(nameof(Datatypes))]
    public async Task Every_datatype_comes_back_in_binary_as_it_went(string datatype)
    {
        var onnxType = Graphs.Types.Single(t => t.Datatype == datatype).OnnxType;
        var model = await services.NewModelAsync(Graphs.Echo(onnxType), Graphs.EchoSignature(datatype));
        var parts = BinaryRequest.Of([new Tensor("x", datatype, [1, 2], Graphs.ValuesOf(datatype))]);

        var reply = await services.Http.PostBinaryAsync($"v2/models/{model}/infer", parts);

        Assert.Equal(HttpStatusCode.OK, reply.Status);
        Assert.Equal(parts.Binary, reply.Tensors.Single());
        var output = reply.Json.GetProperty("outputs")[0];
        Assert.Equal(datatype, output.GetProperty("datatype").GetString());
        Assert.False(output.TryGetProperty("data", out _));
    }

    [ServerFact]
    public async Task Binary_and_json_agree_to_the_bit_and_each_output_comes_as_it_was_asked_for()
    {
        var model = await services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature);
        var path = $"v2/models/{model}/versions/1/infer";
        var json = await services.Http.PostJsonAsync(path, Tensor.ToJson(ThreeRows));
        var expected = json.Json.GetProperty("outputs")[0].GetProperty("data").EnumerateArray().Select(v => v.GetSingle()).ToArray();

        var all = await services.Http.PostBinaryAsync(path, BinaryRequest.Of(ThreeRows, r => r["id"] = "7"));
        var named = await services.Http.PostBinaryAsync(path, BinaryRequest.Of(ThreeRows, r =>
        {
            r.Remove("parameters");
            r["outputs"] = JsonNode.Parse("""[{"name":"prediction","parameters":{"binary_data":true}}]""");
        }));
        var exempt = await services.Http.PostBinaryAsync(path, BinaryRequest.Of(ThreeRows, r =>
            r["outputs"] = JsonNode.Parse("""[{"name":"prediction","parameters":{"binary_data":false}}]""")));
        var fromJson = JsonNode.Parse(Tensor.ToJson(ThreeRows))!.AsObject();
        fromJson["parameters"] = JsonNode.Parse("""{"binary_data_output":true,"priority":1,"timeout":5}""");
        var onlyOut = await services.Http.PostBytesAsync(path, Encoding.UTF8.GetBytes(fromJson.ToJsonString()), null);

        foreach (var reply in (BinaryReply[])[all, named, onlyOut])
        {
            Assert.True(reply.HasHeader);
            Assert.Equal(expected, MemoryMarshal.Cast<byte, float>(reply.Tensors.Single()).ToArray());
        }

        Assert.Equal("7", all.Json.GetProperty("id").GetString());
        Assert.False(exempt.HasHeader);
        Assert.Equal(expected, exempt.Json.GetProperty("outputs")[0].GetProperty("data").EnumerateArray().Select(v => v.GetSingle()));
    }

    [ServerFact]
    public async Task Inputs_may_come_partly_as_json_and_partly_in_binary()
    {
        var model = await services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature);
        var (json, binary) = BinaryRequest.Of([ThreeRows[0], ThreeRows[2]], r => r["inputs"]!.AsArray().Insert(
            1, JsonNode.Parse("""{"name":"hour","datatype":"FP32","shape":[3,1],"data":[8,17.1,23.999]}""")));

        var mixed = await services.Http.PostBinaryAsync($"v2/models/{model}/infer", (json, binary));
        var whole = await services.Http.PostBinaryAsync($"v2/models/{model}/infer", BinaryRequest.Of(ThreeRows));

        Assert.Equal(HttpStatusCode.OK, mixed.Status);
        Assert.Equal(whole.Tensors.Single(), mixed.Tensors.Single());
    }

    [ServerFact]
    public async Task A_raw_body_is_the_one_input_with_its_shape_from_its_size()
    {
        var numbers = await services.NewModelAsync(Graphs.Echo(1), Graphs.EchoSignature("FP32"));
        float[] values = [1, 2, 3, 4, 5, float.Epsilon];
        var raw = MemoryMarshal.AsBytes<float>(values).ToArray();

        var reply = await services.Http.PostBytesAsync($"v2/models/{numbers}/infer", raw, "0");

        Assert.Equal(raw, reply.Tensors.Single());
        Assert.Equal([3L, 2L], reply.Json.GetProperty("outputs")[0].GetProperty("shape").EnumerateArray().Select(v => v.GetInt64()));

        var several = await services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature);
        foreach (var (model, body) in ((string, byte[])[])[(numbers, raw[..^1]), (numbers, raw[..^4]), (numbers, []), (several, raw)])
        {
            var refused = await services.Http.PostBytesAsync($"v2/models/{model}/infer", body, "0");
            Assert.Equal(HttpStatusCode.BadRequest, refused.Status);
            Assert.NotEmpty(refused.Json.GetProperty("error").GetString()!);
        }
    }

    [ServerTheory]
    [InlineData("torn tensor")]
    [InlineData("torn json")]
    [InlineData("surplus bytes")]
    [InlineData("header beyond the body")]
    [InlineData("header too large")]
    [InlineData("header negative")]
    [InlineData("header no number")]
    [InlineData("no header")]
    [InlineData("size too large")]
    [InlineData("size overflows")]
    [InlineData("size negative")]
    [InlineData("size no number")]
    [InlineData("size and data")]
    [InlineData("sizes swapped")]
    [InlineData("shape overflows")]
    [InlineData("shape and size differ")]
    [InlineData("torn text")]
    [InlineData("text not utf-8")]
    public async Task A_body_that_does_not_add_up_is_400(string what)
    {
        var model = await services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature);
        var (json, binary) = BinaryRequest.Of(ThreeRows, r => Break(what, r));
        var header = what switch
        {
            "torn json" => "20",
            "header beyond the body" => $"{json.Length + binary.Length + 1}",
            "header too large" => "99999999999999999999",
            "header negative" => "-1",
            "header no number" => "many",
            "no header" => null,
            _ => $"{json.Length}",
        };
        if (what == "torn tensor") binary = binary[..^1];
        if (what == "surplus bytes") binary = [.. binary, 0];
        if (what == "torn text") binary[24] = 200;
        if (what == "text not utf-8") binary[28] = 0xFF;

        var reply = await services.Http.PostBytesAsync($"v2/models/{model}/infer", [.. json, .. binary], header);

        Assert.Equal(HttpStatusCode.BadRequest, reply.Status);
        Assert.NotEmpty(reply.Json.GetProperty("error").GetString()!);
        var good = await services.Http.PostBinaryAsync($"v2/models/{model}/infer", BinaryRequest.Of(ThreeRows));
        Assert.Equal(HttpStatusCode.OK, good.Status);
    }

    [ServerTheory]
    [InlineData("""{"classification":3}""")]
    [InlineData("""{"shared_memory_region":"r"}""")]
    public async Task A_parameter_that_would_change_the_answer_and_is_not_served_is_501(string parameters)
    {
        var model = await services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature);

        var reply = await services.Http.PostBinaryAsync($"v2/models/{model}/infer", BinaryRequest.Of(ThreeRows, r =>
            r["outputs"] = JsonNode.Parse($$"""[{"name":"prediction","parameters":{{parameters}}}]""")));

        Assert.Equal(HttpStatusCode.NotImplemented, reply.Status);
        Assert.NotEmpty(reply.Json.GetProperty("error").GetString()!);
    }

    [ServerTheory]
    [InlineData("gzip")]
    [InlineData("deflate")]
    public async Task Bodies_go_compressed_both_ways_where_it_is_worth_it(string encoding)
    {
        var model = await services.NewModelAsync(Graphs.Echo(1), Graphs.EchoSignature("FP32"));
        Tensor[] large = [new("x", "FP32", [5_000, 2], [.. Enumerable.Range(0, 10_000).Select(i => (object?)(float)i)])];
        Tensor[] small = [new("x", "FP32", [1, 2], 1f, 2f)];
        foreach (var (tensors, isLarge) in ((Tensor[], bool)[])[(large, true), (small, false)])
        {
            var (json, binary) = BinaryRequest.Of(tensors);
            var reply = await services.Http.PostBytesAsync(
                $"v2/models/{model}/infer", [.. json, .. binary], $"{json.Length}", encoding, $"br, {encoding};q=0.5, identity");

            Assert.Equal(HttpStatusCode.OK, reply.Status);
            Assert.Equal(binary, reply.Tensors.Single());
            Assert.Equal(isLarge ? encoding : null, reply.Encoding);
        }
    }

    [ServerFact]
    public async Task Broken_unknown_and_exploding_compression_is_refused()
    {
        var model = await services.NewModelAsync(Graphs.Echo(1), Graphs.EchoSignature("FP32"));
        var path = $"v2/models/{model}/infer";
        var bomb = BinaryRequest.Compress(new byte[64 << 20], "gzip");

        foreach (var (body, encoding, status) in ((byte[], string, HttpStatusCode)[])
        [
            ([1, 2, 3], "gzip", HttpStatusCode.BadRequest),
            (BinaryRequest.Compress(new byte[2_000], "deflate")[..^5], "deflate", HttpStatusCode.BadRequest),
            ([1, 2, 3], "br", HttpStatusCode.BadRequest),
            (bomb, "gzip", HttpStatusCode.RequestEntityTooLarge),
        ])
        {
            using var content = new ByteArrayContent(body);
            content.Headers.ContentEncoding.Add(encoding);
            using var answer = await services.Http.PostAsync(new Uri(path, UriKind.Relative), content);
            Assert.Equal(status, answer.StatusCode);
            Assert.Contains("\"error\":", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }
    }

    private static void Break(string what, JsonObject request)
    {
        var inputs = request["inputs"]!.AsArray();
        var first = inputs[0]!.AsObject();
        switch (what)
        {
            case "size too large": Size(first, 13); break;
            case "size overflows": Size(first, long.MaxValue); break;
            case "size negative": Size(first, -12); break;
            case "size no number": first["parameters"] = new JsonObject { ["binary_data_size"] = "12" }; break;
            case "size and data": first["data"] = new JsonArray(1, 2, 3); break;
            case "sizes swapped": Size(first, 11); Size(inputs[1]!.AsObject(), 13); break;
            case "shape overflows": first["shape"] = new JsonArray(1L << 62, 1); break;
            case "shape and size differ": first["shape"] = new JsonArray(2, 1); break;
        }
    }

    private static void Size(JsonObject input, long size) => input["parameters"] = new JsonObject { ["binary_data_size"] = size };
}
