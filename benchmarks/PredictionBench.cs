using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Google.Protobuf;
using MlOps.Benchmarks.Peers;
using MlOps.Contracts.OpenInference;

namespace MlOps.Benchmarks;

/// <summary>
/// One flight per request through the gateway, beside a bare YARP before a bare Kestrel that predicts nothing. The load
/// comes from .NET clients on the same cores, so both sides share them with the client.
/// </summary>
internal static class PredictionBench
{
    private const string Model = "flight-delay";
    private static readonly string[] Texts = ["origin", "destination"];
    private static readonly (string Name, float Value)[] Numbers =
    [
        ("distance", 1946), ("departure_hour", 9.5f), ("departure_weekday", 4), ("origin_latitude", 33.64f),
        ("origin_longitude", -84.43f), ("destination_latitude", 33.94f), ("destination_longitude", -118.41f),
        ("origin_flights_24h", 12), ("origin_mean_delay_24h", 7.5f), ("destination_flights_24h", 9), ("destination_mean_delay_24h", 3),
    ];

    public static async Task RunAsync(CancellationToken ct)
    {
        var (rest, grpc, echoRest, echoGrpc) = (PeerProcess.FreePort(), PeerProcess.FreePort(), PeerProcess.FreePort(), PeerProcess.FreePort());
        using var echo = await PeerProcess.StartSelfAsync(echoRest, ct, "echo", $"{echoRest}", $"{echoGrpc}");
        using var proxy = await PeerProcess.StartSelfAsync(
            rest, ct, "proxy", $"{rest}", $"{grpc}", $"http://127.0.0.1:{echoRest}", $"http://127.0.0.1:{echoGrpc}");

        using var bareChannel = Gateway.Channel($"http://127.0.0.1:{grpc}");
        using var channel = Gateway.Channel(Gateway.Grpc);
        using var bareHttp = Gateway.Http($"http://127.0.0.1:{rest}");
        using var http = Gateway.Http(Gateway.Rest);
        var bare = new GRPCInferenceService.GRPCInferenceServiceClient(bareChannel);
        var platform = new GRPCInferenceService.GRPCInferenceServiceClient(channel);
        var request = Request();
        var body = Body();
        await CheckAsync(platform, request, http, body, ct);

        Load.Print("Single prediction by tensors, gRPC",
        [
            await Load.MeasureAsync("bare YARP → bare Kestrel, no model", async () => await bare.ModelInferAsync(request, cancellationToken: ct), ct),
            await Load.MeasureAsync("gateway → Inference", async () => await platform.ModelInferAsync(request, cancellationToken: ct), ct),
        ]);
        Load.Print("Single prediction by tensors, REST",
        [
            await Load.MeasureAsync("bare YARP → bare Kestrel, no model", () => PostAsync(bareHttp, body, ct), ct),
            await Load.MeasureAsync("gateway → Inference", () => PostAsync(http, body, ct), ct),
        ]);
    }

    private static async Task CheckAsync(
        GRPCInferenceService.GRPCInferenceServiceClient grpc, ModelInferRequest request, HttpClient http, byte[] body, CancellationToken ct)
    {
        var byGrpc = (await grpc.ModelInferAsync(request, cancellationToken: ct)).Outputs[0].Contents.Fp32Contents[0];
        var text = await PostAsync(http, body, ct);
        var byRest = float.Parse(
            JsonNode.Parse(text)?["outputs"]?[0]?["data"]?[0]?.ToJsonString() ?? throw new BenchException($"no prediction in {text}"),
            CultureInfo.InvariantCulture);
        if (BitConverter.SingleToInt32Bits(byGrpc) != BitConverter.SingleToInt32Bits(byRest))
            throw new BenchException($"gRPC predicts {byGrpc:R}, REST {byRest:R}");
    }

    private static async Task<string> PostAsync(HttpClient http, byte[] body, CancellationToken ct)
    {
        using var content = new ByteArrayContent(body);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        using var answer = await http.PostAsync(new Uri($"/v2/models/{Model}/infer", UriKind.Relative), content, ct);
        answer.EnsureSuccessStatusCode();
        return await answer.Content.ReadAsStringAsync(ct);
    }

    private static ModelInferRequest Request()
    {
        var request = new ModelInferRequest { ModelName = Model };
        foreach (var name in Texts)
        {
            request.Inputs.Add(Tensor(name, "BYTES", new InferTensorContents { BytesContents = { ByteString.CopyFromUtf8("ATL") } }));
        }

        foreach (var (name, value) in Numbers)
        {
            request.Inputs.Add(Tensor(name, "FP32", new InferTensorContents { Fp32Contents = { value } }));
        }

        return request;
    }

    private static ModelInferRequest.Types.InferInputTensor Tensor(string name, string datatype, InferTensorContents contents) =>
        new() { Name = name, Datatype = datatype, Shape = { 1, 1 }, Contents = contents };

    private static byte[] Body()
    {
        var inputs = new JsonArray();
        foreach (var name in Texts) inputs.Add(Tensor(name, "BYTES", JsonValue.Create("ATL")));
        foreach (var (name, value) in Numbers) inputs.Add(Tensor(name, "FP32", JsonValue.Create(value)));
        return Encoding.UTF8.GetBytes(new JsonObject { ["inputs"] = inputs }.ToJsonString());
    }

    private static JsonObject Tensor(string name, string datatype, JsonValue value) => new()
    {
        ["name"] = name,
        ["datatype"] = datatype,
        ["shape"] = new JsonArray(1, 1),
        ["data"] = new JsonArray(value),
    };
}
