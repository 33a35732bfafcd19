using System.Globalization;
using System.Net;
using System.Text.Json;
using MlOps.Contracts.OpenInference;
using MlOps.Inference.PredictionLog;
using MlOps.TestServers;

namespace MlOps.Inference.Tests;

/// <summary>Requests and answers as CloudEvents.</summary>
[Collection(nameof(InferenceFixture))]
public sealed class PayloadTests(InferenceFixture services)
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    /// <summary>The example of the CloudEvents HTTP binding, 3.1.3.2.</summary>
    [Theory]
    [InlineData("Euro € 😀", "Euro%20%E2%82%AC%20%F0%9F%98%80")]
    [InlineData("""{"a":"50%"}""", "{%22a%22:%2250%25%22}")]
    [InlineData("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z")]
    public void A_value_is_encoded_as_the_binding_says(string value, string expected) =>
        Assert.Equal(expected, PayloadHeaders.Encoded(value));

    [ServerFact]
    public async Task Request_and_answer_arrive_as_events_by_whatever_protocol_they_came()
    {
        await using var receiver = await EventReceiver.StartAsync(FreePorts.Take());
        var signature = Graphs.DelaySignature;
        signature.Inputs[2].Personal = true;
        var model = await services.NewModelAsync(Graphs.Delay(), signature);
        await using var replica = await services.StartInferenceAsync(
            services.NewFolder("events"), more:
            [
                ($"Inference__Models__{model}__Log__CloudEventsUrl", receiver.Url),
                ($"Inference__Models__{model}__Log__CloudEventsAnnotations__team", "Flüge"),
                ("Inference__CloudEventsNamespace", "tests"),
            ]);
        using var http = new HttpClient { BaseAddress = replica.Http };
        var client = new GRPCInferenceService.GRPCInferenceServiceClient(services.Channel(replica.Grpc));
        Tensor[] inputs = [Tensor.Fp32("distance", 719.25f, float.NaN), Tensor.Fp32("hour", 8, 9), Tensor.Bytes("origin", "ATL", "Ada")];

        var rest = await http.PostJsonAsync($"v2/models/{model}/infer", Tensor.ToJson(inputs), ("Ce-Id", "event 1"), ("x-mlops-variant", "canary"));
        var grpc = await client.ModelInferAsync(Tensor.ToRequest(model, isRaw: true, inputs));
        Assert.Equal(HttpStatusCode.BadRequest, (await http.PostJsonAsync($"v2/models/{model}/infer", "{}")).Status);
        await Eventually.Async(() => receiver.Events.Count >= 4, Deadline, "the events arrive");
        Assert.Equal(0, await replica.StopAsync());

        Assert.Equal(4, receiver.Events.Count);
        var request = receiver.Events.Single(e => e["id"] == "event 1" && e["type"] == "org.kubeflow.serving.inference.request");
        var answer = receiver.Events.Single(e => e["id"] == "event 1" && e["type"] == "org.kubeflow.serving.inference.response");
        foreach (var one in (ReceivedEvent[])[request, answer])
        {
            Assert.Equal("application/json", one.Headers["content-type"]);
            Assert.Equal(("1.0", model, "tests", "predictor", "canary"), (
                one["specversion"], one["inferenceservicename"], one["namespace"], one["component"], one["endpoint"]));
            Assert.Equal($"/v2/models/{model}/versions/1", one["source"]);
            Assert.True(DateTimeOffset.TryParse(one["recordedtime"], CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out _));
            Assert.Equal("Flüge", JsonDocument.Parse(one["annotations"]).RootElement.GetProperty("team").GetString());
            Assert.Equal(
                rest.Header("x-mlops-prediction-id"),
                JsonDocument.Parse(one["metadata"]).RootElement.GetProperty("x-mlops-prediction-id")[0].GetString());
        }

        Assert.Equal("[719.25,null]", DataOf(request, "inputs", 0).GetRawText());
        Assert.Equal("[2,1]", request.Data.GetProperty("inputs")[0].GetProperty("shape").GetRawText());
        Assert.All(DataOf(request, "inputs", 2).EnumerateArray(), v => Assert.StartsWith("masked:", v.GetString(), StringComparison.Ordinal));
        Assert.Equal(rest.Json.GetProperty("outputs")[0].GetProperty("data").GetRawText(), DataOf(answer, "outputs", 0).GetRawText());
        var id = Guid.ParseExact(grpc.Parameters["prediction_id"].StringParam, "N").ToString("D");
        Assert.Equal(2, receiver.Events.Count(e => e["id"] == id && e["endpoint"] == "default"));
    }

    [ServerFact]
    public async Task A_receiver_that_hangs_costs_events_and_no_prediction()
    {
        await using var receiver = await EventReceiver.StartAsync(FreePorts.Take(), isSlow: true);
        var model = await services.NewModelAsync(Graphs.Times(2), Graphs.TimesSignature);
        await using var replica = await services.StartInferenceAsync(
            services.NewFolder("events"), more:
            [
                ("Inference__Defaults__Log__CloudEventsUrl", receiver.Url), ("Inference__Defaults__Log__CloudEventsMode", "response"),
                ("Inference__CloudEventsQueueBytes", "65536"),
            ]);
        using var http = new HttpClient { BaseAddress = replica.Http };

        for (var i = 0; i < 200; i++)
        {
            Assert.Equal(HttpStatusCode.OK, (await http.PostJsonAsync($"v1/models/{model}:predict", """{"instances":[1]}""")).Status);
        }

        Assert.Empty(receiver.Events);
        var dropped = await DroppedAsync(http);
        Assert.InRange(dropped, 50, 199);
        receiver.Release();
        await Eventually.Async(async () => await DroppedAsync(http) == 200 - receiver.Events.Count, Deadline, "each event is delivered or counted");
    }

    private static JsonElement DataOf(ReceivedEvent one, string list, int tensor) => one.Data.GetProperty(list)[tensor].GetProperty("data");

    private static async Task<int> DroppedAsync(HttpClient http) =>
        (await http.GetStringAsync(new Uri("metrics", UriKind.Relative))).Split('\n')
        .Where(l => l.StartsWith("mlops_inference_payloads_dropped", StringComparison.Ordinal))
        .Sum(l => int.Parse(l[(l.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture));
}
