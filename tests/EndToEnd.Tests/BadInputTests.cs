using System.Net;
using System.Net.Http.Json;
using Grpc.Core;
using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Monitoring.V1;
using MlOps.Contracts.OpenInference;
using MlOps.Contracts.Registry.V1;
using MlOps.Contracts.Tables.V1;
using MlOps.Contracts.Training.V1;
using MlOps.TestServers;

namespace MlOps.EndToEnd.Tests;

/// <summary>What a user gets wrong, through the gateway: a clear word, the right status, and nothing lost.</summary>
[Collection(PlatformTests.Name)]
public sealed class BadInputTests(RunningPlatform platform)
{
    private GRPCInferenceService.GRPCInferenceServiceClient OpenInference => new(platform.Grpc);

    private FeatureStoreService.FeatureStoreServiceClient Features => new(platform.Grpc);

    public static TheoryData<string, string, HttpStatusCode, string> RestRequests => new()
    {
        { "/v1/models/no-such-model/predict", """{"rows":[{"origin":"ATL"}]}""", HttpStatusCode.NotFound, "no-such-model" },
        { "/v1/models/flight-delay/versions/999/predict", """{"rows":[{"origin":"ATL"}]}""", HttpStatusCode.NotFound, "999" },
        { "/v2/models/no-such-model/infer", """{"inputs":[]}""", HttpStatusCode.NotFound, "no-such-model" },
        { "/v2/models/flight-delay/infer", """{"inputs":[]}""", HttpStatusCode.BadRequest, "origin" },
        { "/v2/models/flight-delay/infer", """{"inputs":[{"name":"nobody","shape":[1,1],"datatype":"FP32","data":[1]}]}""", HttpStatusCode.BadRequest, "nobody" },
        { "/v2/models/flight-delay/infer", """{"inputs":[{"name":"distance","shape":[1,1],"datatype":"INT64","data":[1]}]}""", HttpStatusCode.BadRequest, "distance" },
        { "/v2/models/flight-delay/infer", """{"inputs":[{"name":"distance","shape":[2,1],"datatype":"FP32","data":[1]}]}""", HttpStatusCode.BadRequest, "distance" },
        { "/v2/models/flight-delay/infer", "{not json", HttpStatusCode.BadRequest, "JSON" },
        { "/no/such/path", "{}", HttpStatusCode.NotFound, "" },
    };

    [ServerTheory]
    [MemberData(nameof(RestRequests))]
    public async Task Rest_says_what_is_wrong(string path, string body, HttpStatusCode status, string names)
    {
        using var content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
        using var answer = await platform.Rest.PostAsync(new Uri(path, UriKind.Relative), content);
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(status == answer.StatusCode, $"{(int)answer.StatusCode}: {text}");
        Assert.Contains(names, text, StringComparison.OrdinalIgnoreCase);
    }

    [ServerFact]
    public async Task A_missing_value_is_refused_where_the_signature_refuses_it_and_taken_where_it_allows_it()
    {
        var refused = Requests.Tensors();
        refused.Inputs.Single(i => i.Name == "distance").Contents.Fp32Contents[0] = float.NaN;
        var taken = Requests.Tensors();
        taken.Inputs.Single(i => i.Name == "origin_mean_delay_24h").Contents.Fp32Contents[0] = float.NaN;

        var failure = await Assert.ThrowsAsync<RpcException>(async () => await OpenInference.ModelInferAsync(refused, Requests.Within(10)));
        Assert.Equal(StatusCode.InvalidArgument, failure.StatusCode);
        Assert.Contains("distance", failure.Status.Detail, StringComparison.Ordinal);
        Assert.Single((await OpenInference.ModelInferAsync(taken, Requests.Within(10))).Outputs);
    }

    [ServerFact]
    public async Task Grpc_says_what_is_unknown()
    {
        await Refused(StatusCode.NotFound, "no-such-model", async () =>
            await OpenInference.ModelInferAsync(Requests.Tensors("no-such-model"), Requests.Within(10)));
        await Refused(StatusCode.NotFound, "no_such_view", async () => await Features.GetOnlineFeaturesAsync(
            new GetOnlineFeaturesRequest
            {
                Selections = { new FeatureSelection { FeatureView = "no_such_view" } },
                Entities = Texts("airport", "ATL"),
            },
            Requests.Within(10)));
        await Refused(StatusCode.NotFound, "wingspan", async () => await Features.GetOnlineFeaturesAsync(
            new GetOnlineFeaturesRequest
            {
                Selections = { new FeatureSelection { FeatureView = "airport_positions", Features = { "wingspan" } } },
                Entities = Texts("airport", "ATL"),
            },
            Requests.Within(10)));
        await Refused(StatusCode.NotFound, "sha256:00", async () =>
            await Features.GetSnapshotAsync(new GetSnapshotRequest { Digest = "sha256:" + new string('0', 64) }, Requests.Within(10)));
        await Refused(StatusCode.NotFound, "flight-delay", async () =>
            await new RegistryService.RegistryServiceClient(platform.Grpc).GetModelVersionAsync(
                new GetModelVersionRequest { Model = Requests.Model, Version = 999 }, Requests.Within(10)));
        await Refused(StatusCode.InvalidArgument, "trainer", async () =>
            await new TrainingService.TrainingServiceClient(platform.Grpc).SubmitPipelineAsync(
                new SubmitPipelineRequest { Pipeline = new Pipeline { Model = Requests.Model, Trainer = "crystal-ball" } }, Requests.Within(10)));
        await Refused(StatusCode.InvalidArgument, "0", async () =>
            await new MonitoringService.MonitoringServiceClient(platform.Grpc).SubmitLabelsAsync(
                new SubmitLabelsRequest { Labels = { new Label { PredictionId = "nonsense", Value = double.NaN } } }, Requests.Within(10)));
    }

    [ServerFact]
    public async Task An_unknown_entity_is_a_missing_value_and_the_answer_says_so()
    {
        var online = await Features.GetOnlineFeaturesAsync(
            new GetOnlineFeaturesRequest
            {
                Selections = { new FeatureSelection { FeatureView = "airport_positions" } },
                Entities = Texts("airport", "ATL", "NOWHERE"),
            },
            Requests.Within(10));
        Assert.All(online.Statuses, column => Assert.Equal(
            [FeatureStatus.Present, FeatureStatus.NotFound], column.Statuses));

        // The position may not be missing, so a prediction for an airport that is none is refused by name.
        var flight = Requests.Flight;
        flight["origin"] = "NOWHERE";
        using var answer = await platform.Rest.PostAsJsonAsync("/v1/models/flight-delay/predict", new { rows = new[] { flight } });
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Contains("origin_latitude", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [ServerFact]
    public async Task A_bad_line_is_kept_apart_and_the_rest_is_taken_once()
    {
        const string Csv = """
            airport,since,latitude,longitude
            QA1,2000-01-01T00:00:00Z,1.5,2.5
            QA2,2000-01-01T00:00:00Z,north,2.5
            QA3,2000-01-01T00:00:00Z,3.5
            QA4,2000-01-01T00:00:00Z,4.5,5.5

            """;

        var first = await IngestAsync(Csv);
        var second = await IngestAsync(Csv);

        Assert.Equal((2, 0, 2), (first.RowsIngested, first.RowsDuplicate, first.RowsQuarantined));
        Assert.Equal([3L, 4L], first.Quarantined.Select(q => q.Line));
        Assert.Contains("latitude", first.Quarantined[0].Reason, StringComparison.Ordinal);
        Assert.Equal((0, 2), (second.RowsIngested, second.RowsDuplicate));
    }

    private async Task<IngestResponse> IngestAsync(string csv)
    {
        using var call = Features.Ingest(Requests.Within(20));
        await call.RequestStream.WriteAsync(new IngestRequest
        {
            Header = new IngestRequest.Types.Header { FeatureView = "airport_positions", Source = "bad-input-test.csv" },
        });
        await call.RequestStream.WriteAsync(new IngestRequest { Csv = Google.Protobuf.ByteString.CopyFromUtf8(csv) });
        await call.RequestStream.CompleteAsync();
        return await call;
    }

    private static Table Texts(string column, params string[] values) => new()
    {
        Columns = { new Column { Name = column, Texts = new TextValues { Values = { values } } } },
    };

    private static async Task Refused(StatusCode status, string names, Func<Task> call)
    {
        var failure = await Assert.ThrowsAsync<RpcException>(call);
        Assert.True(status == failure.StatusCode, $"{failure.StatusCode}: {failure.Status.Detail}");
        Assert.Contains(names, failure.Status.Detail, StringComparison.OrdinalIgnoreCase);
    }
}
