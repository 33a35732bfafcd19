using System.Net;
using System.Runtime.InteropServices;
using System.Text.Json;
using Grpc.Core;
using MlOps.Contracts.OpenInference;
using MlOps.TestServers;

namespace MlOps.Inference.Tests;

[Collection(nameof(InferenceFixture))]
public sealed class InferTests(InferenceFixture services)
{
    private static readonly Tensor[] ThreeRows =
    [
        Tensor.Fp32("distance", 719.25f, float.NaN, 1e-3f),
        Tensor.Fp32("hour", 8, 17.1f, 23.999f),
        Tensor.Bytes("origin", "ATL", "ORD", "Zürich \"x\""),
    ];

    [ServerFact]
    public async Task Rest_grpc_raw_and_typed_agree_to_the_bit()
    {
        var model = await services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature);

        var typed = await services.Tensors.ModelInferAsync(Tensor.ToRequest(model, isRaw: false, ThreeRows));
        var raw = await services.Tensors.ModelInferAsync(Tensor.ToRequest(model, isRaw: true, ThreeRows));
        var (status, rest) = await PostAsync($"v2/models/{model}/infer", Tensor.ToJson(ThreeRows));

        float[] expected = [0.01f * 719.25f + 16 + 1.25f + 3, 0.01f * 500 + (2 * 17.1f) - 0.5f + 3, 1e-5f + (2 * 23.999f) + 3];
        var values = typed.Outputs.Single().Contents.Fp32Contents.ToArray();
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal(3, values.Length);
        Assert.All(values.Zip(expected), pair => Assert.Equal(pair.Second, pair.First, 1e-4f));
        Assert.Equal(values, MemoryMarshal.Cast<byte, float>(raw.RawOutputContents.Single().Span).ToArray());
        Assert.Empty(typed.RawOutputContents);
        Assert.Null(raw.Outputs.Single().Contents);
        var output = rest.GetProperty("outputs")[0];
        Assert.Equal(values, output.GetProperty("data").EnumerateArray().Select(v => v.GetSingle()));
        Assert.Equal([3L, 1L], output.GetProperty("shape").EnumerateArray().Select(v => v.GetInt64()));
        Assert.Equal("FP32", output.GetProperty("datatype").GetString());
        Assert.Equal(model, rest.GetProperty("model_name").GetString());
        Assert.Equal("1", rest.GetProperty("model_version").GetString());
        Assert.Equal(32, rest.GetProperty("parameters").GetProperty("prediction_id").GetString()?.Length);
        Assert.Equal(32, typed.Parameters["prediction_id"].StringParam.Length);
    }

    [ServerFact]
    public async Task Rest_and_grpc_agree_to_the_bit_on_random_floats()
    {
        var model = await services.NewModelAsync(Graphs.Echo(1), Graphs.EchoSignature("FP32"));
        var random = new Random(5);
        var values = new object?[2_000];
        for (var i = 0; i < values.Length; i++)
        {
            float value;
            do value = BitConverter.Int32BitsToSingle(random.Next(int.MinValue, int.MaxValue));
            while (!float.IsFinite(value));
            values[i] = value;
        }

        Tensor[] inputs = [new("x", "FP32", [1_000, 2], values)];
        var grpc = await services.Tensors.ModelInferAsync(Tensor.ToRequest(model, isRaw: true, inputs));
        var (_, rest) = await PostAsync($"v2/models/{model}/infer", Tensor.ToJson(inputs));

        var expected = values.Select(v => BitConverter.SingleToInt32Bits((float)v!));
        Assert.Equal(expected, MemoryMarshal.Cast<byte, int>(grpc.RawOutputContents[0].Span).ToArray());
        Assert.Equal(expected, rest.GetProperty("outputs")[0].GetProperty("data").EnumerateArray()
            .Select(v => BitConverter.SingleToInt32Bits(v.GetSingle())));
    }

    public static TheoryData<string> Datatypes => [.. Graphs.Types.Select(t => t.Datatype)];

    [ServerTheory]
    [MemberData(nameof(Datatypes))]
    public async Task Every_datatype_comes_back_as_it_went(string datatype)
    {
        var model = await services.NewModelAsync(Graphs.Echo(Graphs.Types.Single(t => t.Datatype == datatype).OnnxType), Graphs.EchoSignature(datatype));
        var values = Graphs.ValuesOf(datatype);
        Tensor[] inputs = [new("x", datatype, [1, 2], values)];

        var raw = await services.Tensors.ModelInferAsync(Tensor.ToRequest(model, isRaw: true, inputs));
        Assert.Equal(values.SelectMany(v => Tensor.Raw(datatype, v)), raw.RawOutputContents.Single().ToByteArray());
        if (datatype is "FP16" or "BF16") return; // Raw only.

        var request = Tensor.ToRequest(model, isRaw: false, inputs);
        var typed = await services.Tensors.ModelInferAsync(request);
        Assert.Equal(request.Inputs[0].Contents, typed.Outputs.Single().Contents);
        var (status, rest) = await PostAsync($"v2/models/{model}/infer", Tensor.ToJson(inputs));
        Assert.Equal(HttpStatusCode.OK, status);
        using var sent = JsonDocument.Parse(Tensor.ToJson(inputs));
        var returned = rest.GetProperty("outputs")[0].GetProperty("data");
        var original = sent.RootElement.GetProperty("inputs")[0].GetProperty("data");
        if (datatype == "BYTES") Assert.Equal(original.EnumerateArray().Select(v => v.GetString()), returned.EnumerateArray().Select(v => v.GetString()));
        else if (datatype is "FP64" or "FP32") Assert.Equal(original.EnumerateArray().Select(v => v.GetDouble()), returned.EnumerateArray().Select(v => v.GetDouble()), (a, b) => (float)a == (float)b);
        else Assert.Equal(original.GetRawText(), returned.GetRawText());
    }

    public static TheoryData<string> BadNames => [.. BadRequests.All.Keys];

    [ServerTheory]
    [MemberData(nameof(BadNames))]
    public async Task Bad_input_is_refused_by_both_protocols_with_the_rule(string name)
    {
        var model = await services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature);
        var (tensors, expected) = BadRequests.All[name];

        foreach (var isRaw in (bool[])[true, false])
        {
            var refused = await Assert.ThrowsAsync<RpcException>(
                () => services.Tensors.ModelInferAsync(Tensor.ToRequest(model, isRaw, tensors)).ResponseAsync);
            Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode);
            Assert.Contains(expected, refused.Status.Detail, StringComparison.Ordinal);
        }

        var (status, answer) = await PostAsync($"v2/models/{model}/infer", Tensor.ToJson(tensors));
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Contains(expected, answer.GetProperty("error").GetString(), StringComparison.Ordinal);
    }

    [ServerTheory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("{} x")]
    [InlineData("{\"inputs\":{}}")]
    [InlineData("{\"inputs\":[1]}")]
    [InlineData("{\"inputs\":[{}]}")]
    [InlineData("{\"inputs\":[{\"name\":1}]}")]
    [InlineData("{\"inputs\":[{\"name\":\"hour\"}]}")]
    [InlineData("{\"inputs\":[{\"name\":\"hour\",\"shape\":[1.5],\"datatype\":\"FP32\",\"data\":[1]}]}")]
    [InlineData("{\"inputs\":[{\"name\":\"hour\",\"shape\":[1,1],\"datatype\":\"FP32\",\"data\":[NaN]}]}")]
    [InlineData("{\"inputs\":[{\"name\":\"hour\",\"shape\":[1,1],\"datatype\":\"FP32\",\"data\":[Infinity]}]}")]
    [InlineData("{\"inputs\":[{\"name\":\"hour\",\"shape\":[1,1],\"datatype\":\"FP32\",\"data\":[\"1\"]}]}")]
    [InlineData("{\"inputs\":[{\"name\":\"hour\",\"shape\":[1,1],\"datatype\":\"FP32\",\"data\":[[[1]]]}]}")]
    [InlineData("{\"inputs\":[{\"name\":\"hour\",\"shape\":[2,1],\"datatype\":\"FP32\",\"data\":[[1,2]]}]}")]
    [InlineData("{\"inputs\":[{\"name\":\"hour\",\"shape\":[2,1],\"datatype\":\"FP32\",\"data\":[[1],2]}]}")]
    [InlineData("{\"inputs\":[{\"name\":\"hour\",\"shape\":[1,1],\"datatype\":\"FP32\",\"data\":5}]}")]
    [InlineData("{\"inputs\":[{\"name\":\"origin\",\"shape\":[1,1],\"datatype\":\"BYTES\",\"data\":[\"\\ud800\"]}]}")]
    [InlineData("{\"inputs\":[{\"name\":\"\\ud800\",\"shape\":[1,1],\"datatype\":\"FP32\",\"data\":[1]}]}")]
    [InlineData("{\"id\":\"\\ud800\",\"inputs\":[]}")]
    [InlineData("{\"outputs\":[{}],\"inputs\":[]}")]
    public async Task Malformed_json_is_400_with_an_error_text(string body)
    {
        var model = await services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature);

        var (status, answer) = await PostAsync($"v2/models/{model}/infer", body);

        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.NotEmpty(answer.GetProperty("error").GetString()!);
    }

    [ServerFact]
    public async Task Nested_data_null_any_order_of_fields_id_and_outputs_are_honoured()
    {
        var model = await services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature);

        var (status, answer) = await PostAsync($"v2/models/{model}/versions/1/infer", """
            {"parameters":{"priority":1},"outputs":[{"name":"prediction"}],"inputs":[
              {"data":[["ATL"],["\u004frd"]],"datatype":"BYTES","shape":[2,1],"name":"origin"},
              {"shape":[2,1],"data":[[1],[2]],"name":"hour","datatype":"FP32","parameters":{}},
              {"name":"distance","shape":[2,1],"datatype":"FP32","data":[null,100]}],"id":"a\"b"}
            """);

        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal("a\"b", answer.GetProperty("id").GetString());
        Assert.Equal([11.25f, 8f], answer.GetProperty("outputs")[0].GetProperty("data").EnumerateArray().Select(v => v.GetSingle()));
    }

    [ServerFact]
    public async Task Names_without_end_are_refused_in_few_words()
    {
        var model = await services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature);
        var many = Tensor.ToRequest(model, isRaw: true, Enumerable.Range(0, 5_000).Select(i => Tensor.Fp32($"input-{i}", 1)));
        var much = Tensor.ToRequest(model, isRaw: true, [Tensor.Fp32(new string('x', 200_000), 1)]);
        var twice = Tensor.ToRequest(model, isRaw: true, ThreeRows);
        foreach (var _ in (int[])[1, 2]) twice.Outputs.Add(new ModelInferRequest.Types.InferRequestedOutputTensor { Name = "prediction" });
        var unknown = Tensor.ToRequest(new string('m', 200_000), isRaw: true, ThreeRows);

        foreach (var (request, status) in ((ModelInferRequest, StatusCode)[])
                 [(many, StatusCode.InvalidArgument), (much, StatusCode.InvalidArgument), (twice, StatusCode.InvalidArgument), (unknown, StatusCode.NotFound)])
        {
            var refused = await Assert.ThrowsAsync<RpcException>(() => services.Tensors.ModelInferAsync(request).ResponseAsync);
            Assert.Equal(status, refused.StatusCode);
        }
    }

    [ServerFact]
    public async Task An_unknown_output_is_refused()
    {
        var model = await services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature);
        var request = Tensor.ToRequest(model, isRaw: true, ThreeRows);
        request.Outputs.Add(new ModelInferRequest.Types.InferRequestedOutputTensor { Name = "nothing" });

        var refused = await Assert.ThrowsAsync<RpcException>(() => services.Tensors.ModelInferAsync(request).ResponseAsync);

        Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode);
        Assert.Contains("nothing: is not an output", refused.Status.Detail, StringComparison.Ordinal);
    }

    [ServerTheory]
    [InlineData("mixed")]
    [InlineData("too few buffers")]
    [InlineData("short buffer")]
    [InlineData("torn text")]
    [InlineData("long text")]
    [InlineData("not utf-8")]
    [InlineData("two lists")]
    [InlineData("wrong list")]
    public async Task Wrong_buffers_are_refused(string what)
    {
        var model = await services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature);
        var request = Tensor.ToRequest(model, isRaw: what is not ("two lists" or "wrong list"), ThreeRows);
        switch (what)
        {
            case "mixed": request.Inputs[0].Contents = new InferTensorContents { Fp32Contents = { 1 } }; break;
            case "too few buffers": request.RawInputContents.RemoveAt(2); break;
            case "short buffer": request.RawInputContents[0] = Google.Protobuf.ByteString.CopyFrom(1, 2, 3); break;
            case "torn text": request.RawInputContents[2] = Google.Protobuf.ByteString.CopyFrom(9, 0, 0, 0, 65); break;
            case "long text": request.RawInputContents[2] = Google.Protobuf.ByteString.CopyFrom(255, 255, 255, 255, 65); break;
            case "not utf-8": request.RawInputContents[2] = Google.Protobuf.ByteString.CopyFrom(1, 0, 0, 0, 0xC3, 0, 0, 0, 0, 0, 0, 0, 0); break;
            case "two lists": request.Inputs[0].Contents.Int64Contents.Add(1); break;
            default: request.Inputs[0].Contents = new InferTensorContents { Fp64Contents = { 1, 2, 3 } }; break;
        }

        var refused = await Assert.ThrowsAsync<RpcException>(() => services.Tensors.ModelInferAsync(request).ResponseAsync);

        Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode);
    }

    [ServerFact]
    public async Task Metadata_and_readiness_are_told_by_both_protocols()
    {
        var model = await services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature);

        var grpc = await services.Tensors.ModelMetadataAsync(new ModelMetadataRequest { Name = model });
        using var rest = JsonDocument.Parse(await services.Http.GetStringAsync(new Uri($"v2/models/{model}/versions/1", UriKind.Relative)));
        using var names = JsonDocument.Parse(await services.Http.GetStringAsync(new Uri("v2/models", UriKind.Relative)));
        using var ready = JsonDocument.Parse(await services.Http.GetStringAsync(new Uri("v2/health/ready", UriKind.Relative)));

        Assert.Equal(["distance", "hour", "origin"], grpc.Inputs.Select(i => i.Name));
        Assert.Equal(["FP32", "FP32", "BYTES"], grpc.Inputs.Select(i => i.Datatype));
        Assert.All(grpc.Inputs, i => Assert.Equal([-1L, 1L], i.Shape));
        Assert.Equal(["1"], grpc.Versions);
        Assert.Equal("onnxruntime_onnx", rest.RootElement.GetProperty("platform").GetString());
        Assert.Equal("prediction", rest.RootElement.GetProperty("outputs")[0].GetProperty("name").GetString());
        Assert.Contains(model, names.RootElement.GetProperty("models").EnumerateArray().Select(m => m.GetString()));
        Assert.True(ready.RootElement.GetProperty("ready").GetBoolean());
        Assert.True(ready.RootElement.GetProperty("live").GetBoolean());
        Assert.True((await services.Tensors.ModelReadyAsync(new ModelReadyRequest { Name = model, Version = "1" })).Ready);
        Assert.True((await services.Tensors.ServerReadyAsync(new ServerReadyRequest())).Ready);
        Assert.True((await services.Tensors.ServerLiveAsync(new ServerLiveRequest())).Live);
    }

    [ServerTheory]
    [InlineData("v2/models/no-such-model/infer", "no-such-model")]
    [InlineData("v2/models/{model}/versions/99/infer", "99")]
    [InlineData("v2/models/{model}/versions/no-such-alias/infer", "no-such-alias")]
    [InlineData("v2/nowhere", "nowhere")]
    public async Task What_does_not_exist_is_404(string path, string named)
    {
        var model = await services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature);

        var (status, answer) = await PostAsync(path.Replace("{model}", model, StringComparison.Ordinal), Tensor.ToJson(ThreeRows));

        Assert.Equal(HttpStatusCode.NotFound, status);
        Assert.Contains(named, answer.GetProperty("error").GetString(), StringComparison.Ordinal);
    }

    [ServerFact]
    public async Task What_does_not_exist_is_not_found_over_grpc()
    {
        var model = await services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature);
        foreach (var (name, version) in ((string, string)[])[("no-such-model", ""), (model, "99"), (model, "no-such-alias"), ("", "")])
        {
            var request = Tensor.ToRequest(name, isRaw: true, ThreeRows);
            request.ModelVersion = version;
            var refused = await Assert.ThrowsAsync<RpcException>(() => services.Tensors.ModelInferAsync(request).ResponseAsync);
            Assert.Equal(StatusCode.NotFound, refused.StatusCode);
        }
    }

    private async Task<(HttpStatusCode Status, JsonElement Answer)> PostAsync(string path, string body)
    {
        var reply = await services.Http.PostJsonAsync(path, body);
        return (reply.Status, reply.Json);
    }
}
