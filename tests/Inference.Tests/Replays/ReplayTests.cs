using System.Net;
using Grpc.Core;
using MlOps.Contracts.Inference.V1;
using MlOps.Contracts.Monitoring.V1;
using MlOps.TestServers;

namespace MlOps.Inference.Tests.Replays;

/// <summary>Logged predictions run again, beside the built Monitoring, which has them from the log.</summary>
[Collection(nameof(InferenceFixture))]
public sealed class ReplayTests(InferenceFixture services, ReplayTests.Logged logged) : IClassFixture<ReplayTests.Logged>
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    [ServerFact]
    public async Task The_same_version_says_the_same_bits_and_another_is_measured_against_it()
    {
        var (client, http) = await StartAsync();
        var model = await services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature);
        await services.RegisterAsync(model, Graphs.Delay(slope: 3.25), Graphs.DelaySignature);
        var ids = await LogAsync(http, model, "1", ("ATL", 100), ("ORD", 200), ("ATL", 300));

        var same = await ReadAsync(client.Replay(new ReplayRequest { Model = model, Version = "1", Threshold = 20 }));
        var other = await ReadAsync(client.Replay(new ReplayRequest { Model = model, Version = "2", LoggedVersion = "1", Threshold = 7 }));
        var one = await ReadAsync(client.Replay(new ReplayRequest { Model = model, Version = "2", PredictionIds = { $"{ids[0]}.0", ids[1] } }));

        Assert.Equal((3, 3, 0, 0d, 1d), (same.Summary.Count, same.Summary.Equal, same.Summary.Flips, same.Summary.MaxAbsoluteDifference, same.Summary.Correlation));
        Assert.Equal(ids.Select(id => $"{id}.0").Order(), same.Predictions.Select(p => p.PredictionId).Order());
        Assert.All(same.Predictions, p => Assert.Equal((p.Logged, 0d, "1", ""), (p.Replayed, p.Difference, p.LoggedVersion, p.Skipped)));

        // 2 · hour + 0.01 · distance + 3, and 1.25 or 3.25 for ATL: 7.25, 6.5, 9.25 and 9.25, 6.5, 11.25.
        Assert.Equal(("2", "prediction"), (other.Version, other.Summary.Output));
        Assert.Equal((3, 1, 0), (other.Summary.Count, other.Summary.Equal, other.Summary.Flips));
        Assert.Equal(2, other.Summary.MaxAbsoluteDifference, 1e-5);
        Assert.Equal(4d / 3, other.Summary.MeanAbsoluteDifference, 1e-5);
        Assert.Equal(2 / 7.25, other.Summary.MaxRelativeDifference, 1e-5);
        Assert.Equal([$"{ids[0]}.0", $"{ids[1]}.0"], one.Predictions.Select(p => p.PredictionId).OrderBy(id => id.StartsWith(ids[0], StringComparison.Ordinal) ? 0 : 1));

        var rest = await http.PostJsonAsync($"v1/models/{model}/versions/2/replay", """{"threshold":8,"sample_size":10}""");
        var summary = rest.Json.GetProperty("summary");
        Assert.Equal(HttpStatusCode.OK, rest.Status);
        Assert.Equal((3, 1), (summary.GetProperty("count").GetInt32(), summary.GetProperty("flips").GetInt32()));
        Assert.Equal(other.Summary.MaxAbsoluteDifference, summary.GetProperty("max_absolute_difference").GetDouble());
        Assert.Equal(3, rest.Json.GetProperty("predictions").GetArrayLength());
        Assert.Equal("2", rest.Json.GetProperty("version").GetString());
    }

    [ServerFact]
    public async Task A_sample_is_drawn_by_its_seed_and_a_window_by_its_times()
    {
        var (client, http) = await StartAsync();
        var model = await services.NewModelAsync(Graphs.Times(2), Graphs.TimesSignature);
        var ids = new List<string>();
        for (var i = 0; i < 30; i++)
        {
            ids.Add((await http.PostJsonAsync($"v1/models/{model}:predict", $$"""{"instances":[{{i}},{{i + 1}}]}""")).Header("x-mlops-prediction-id")!);
        }

        await ArriveAsync(model, 60);
        var (first, again, other) = (await SampleAsync(1), await SampleAsync(1), await SampleAsync(2));
        var all = await ReadAsync(client.Replay(new ReplayRequest { Model = model }));
        var none = await ReadAsync(client.Replay(new ReplayRequest { Model = model, ToMicros = 1 }));

        Assert.Equal(20, first.Summary.Count);
        Assert.Equal(first.Predictions.Select(p => p.PredictionId), again.Predictions.Select(p => p.PredictionId));
        Assert.NotEqual(first.Predictions.Select(p => p.PredictionId), other.Predictions.Select(p => p.PredictionId));
        Assert.Equal((60, 60), (all.Summary.Count, all.Summary.Equal));
        Assert.Equal(ids.SelectMany(id => new[] { $"{id}.0", $"{id}.1" }).Order(), all.Predictions.Select(p => p.PredictionId).Order());
        Assert.Equal(0, none.Summary.Count);

        Task<Whole> SampleAsync(long seed) => ReadAsync(client.Replay(new ReplayRequest { Model = model, SampleSize = 10, Seed = seed }));
    }

    [ServerFact]
    public async Task What_is_masked_or_unknown_is_said_row_by_row_and_is_an_error_where_nothing_is_left()
    {
        var masked = InferenceFixture.NewName("masked");
        var (client, http) = await StartAsync(($"Inference__Models__{masked}__Log__Masked__0", "origin"));
        await services.RegisterAsync(masked, Graphs.Delay(), Graphs.DelaySignature);
        var open = await services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature);
        var hidden = await LogAsync(http, masked, "1", ("ATL", 100));
        var seen = await LogAsync(http, open, "1", ("ATL", 100));
        var unknown = Guid.NewGuid().ToString("N");

        var refused = await Assert.ThrowsAsync<RpcException>(() => ReadAsync(client.Replay(new ReplayRequest { Model = masked })));
        var rest = await http.PostJsonAsync($"v1/models/{masked}/replay", $$"""{"prediction_ids":["{{hidden[0]}}"]}""");
        var lost = await http.PostJsonAsync($"v1/models/{open}/replay", $$"""{"prediction_ids":["{{unknown}}"]}""");
        var some = await ReadAsync(client.Replay(new ReplayRequest
        {
            Model = open,
            PredictionIds = { seen[0], $"{seen[0]}.7", hidden[0], unknown },
        }));

        Assert.Equal(StatusCode.FailedPrecondition, refused.StatusCode);
        Assert.Contains("input 'origin' is masked in the log, in column 'origin'", refused.Status.Detail, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.Conflict, rest.Status);
        Assert.Equal("REPLAY_IMPOSSIBLE", rest.Json.GetProperty("code").GetString());
        Assert.Contains("masked in the log, in column 'origin'", rest.Json.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.Conflict, lost.Status);
        Assert.Equal((1, 2), (some.Summary.Count, some.Summary.Skipped));
        Assert.Equal(
            [$"{hidden[0]}: it is not in the log of this model", $"{unknown}: it is not in the log of this model"],
            some.Predictions.Where(p => p.Skipped.Length > 0).Select(p => $"{p.PredictionId}: {p.Skipped}").OrderBy(text => text.StartsWith(hidden[0], StringComparison.Ordinal) ? 0 : 1));
    }

    [ServerFact]
    public async Task Rows_a_request_did_not_have_are_named()
    {
        var (client, http) = await StartAsync();
        var model = await services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature);
        var ids = await LogAsync(http, model, "1", ("ATL", 100));

        var part = await ReadAsync(client.Replay(new ReplayRequest { Model = model, PredictionIds = { $"{ids[0]}.0", $"{ids[0]}.7" } }));

        Assert.Equal(["", "it is beyond the request's 1 rows"], part.Predictions.Select(p => p.Skipped));
        Assert.Equal($"{ids[0]}.7", part.Predictions[1].PredictionId);
    }

    [ServerTheory]
    [InlineData("""{"prediction_ids":["nothing"]}""", 400, "prediction_ids[0]")]
    [InlineData("""{"prediction_ids":["0123"],"sample_size":3}""", 400, "prediction_ids")]
    [InlineData("""{"sample_size":-1}""", 400, "sample_size")]
    [InlineData("""{"sample_size":10001}""", 400, "sample_size")]
    [InlineData("""{"from":"yesterday"}""", 400, "from")]
    [InlineData("""{"else":1}""", 400, "else")]
    [InlineData("""[""", 400, "not a replay")]
    public async Task A_replay_that_cannot_be_is_refused_with_its_field(string body, int status, string word)
    {
        var (_, http) = await StartAsync();
        var model = await services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature);

        var reply = await http.PostJsonAsync($"v1/models/{model}/replay", body);

        Assert.Equal(status, (int)reply.Status);
        Assert.Contains(word, reply.Json.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    [ServerFact]
    public async Task Without_an_address_of_monitoring_or_the_model_a_replay_says_so_and_of_nothing_it_is_empty()
    {
        var (client, _) = await StartAsync();
        var model = await services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature);

        var without = await services.Http.PostJsonAsync($"v1/models/{model}/replay", "{}");
        var unknown = await Assert.ThrowsAsync<RpcException>(() => ReadAsync(client.Replay(new ReplayRequest { Model = "no-such-model" })));
        var unlogged = await ReadAsync(client.Replay(new ReplayRequest { Model = model }));

        Assert.Equal(HttpStatusCode.ServiceUnavailable, without.Status);
        Assert.Equal(StatusCode.NotFound, unknown.StatusCode);
        Assert.Equal((0, 0), (unlogged.Summary.Count, unlogged.Summary.Skipped));
    }

    // A replica of its own per test would take longer than all of them: one without settings is shared.
    private async Task<(InferenceService.InferenceServiceClient Client, HttpClient Http)> StartAsync(params (string Key, string Value)[] more)
    {
        var replica = await logged.ReplicaAsync(services, more);
        return (new InferenceService.InferenceServiceClient(services.Channel(replica.Grpc)), logged.Http(replica));
    }

    private async Task<string[]> LogAsync(HttpClient http, string model, string version, params (string Origin, int Distance)[] flights)
    {
        var ids = new List<string>();
        foreach (var (origin, distance) in flights)
        {
            var reply = await http.PostJsonAsync(
                $"v1/models/{model}/versions/{version}/predict", $$"""{"rows":[{"origin":"{{origin}}","distance":{{distance}},"hour":1}]}""");
            ids.Add(reply.Header("x-mlops-prediction-id")!);
        }

        await ArriveAsync(model, ids.Count);
        return [.. ids];
    }

    private Task ArriveAsync(string model, int predictions) => Eventually.Async(
        async () =>
        {
            try
            {
                return (await logged.Monitoring.GetPredictionsAsync(new GetPredictionsRequest { Model = model, PageSize = 1_000 }))
                    .Records.Sum(record => record.Predictions.Count) >= predictions;
            }
            catch (RpcException e) when (e.StatusCode == StatusCode.NotFound)
            {
                return false;
            }
        },
        Deadline, "the predictions are in the log");

    private static async Task<Whole> ReadAsync(AsyncServerStreamingCall<ReplayResponse> call)
    {
        using (call)
        {
            var parts = await call.ResponseStream.ReadAllAsync().ToListAsync();
            Assert.All(parts[..^1], part => Assert.Null(part.Summary));
            return new Whole(parts[^1].Version, [.. parts.SelectMany(part => part.Predictions)], parts[^1].Summary);
        }
    }

    private sealed record Whole(string Version, IReadOnlyList<ReplayedPrediction> Predictions, ReplaySummary Summary);

    /// <summary>Monitoring, and replicas whose log it takes.</summary>
    public sealed class Logged : IAsyncLifetime
    {
        private readonly PostgresDatabase<ReplayTests> _database = new();
        private readonly string _prefix = InferenceFixture.NewName("replay");
        private readonly List<IAsyncDisposable> _processes = [];
        private readonly List<HttpClient> _clients = [];
        private ServiceProcess? _monitoring;
        private ServiceProcess? _plain;

        public MonitoringService.MonitoringServiceClient Monitoring { get; private set; } = null!;

        public Task InitializeAsync() => _database.InitializeAsync();

        public async Task<ServiceProcess> ReplicaAsync(InferenceFixture services, params (string Key, string Value)[] more)
        {
            if (more.Length == 0 && _plain is not null) return _plain;
            if (_monitoring is null)
            {
                _processes.Add(_monitoring = await ServiceProcess.StartAsync("Monitoring", new Dictionary<string, string?>
                {
                    ["ConnectionStrings__monitoringdb"] = _database.ConnectionString,
                    ["ConnectionStrings__rabbitmq"] = Servers.RabbitMq,
                    ["Bus__Prefix"] = _prefix,
                    ["services__registry__grpc__0"] = services.Registry.Grpc.ToString(),
                }));
                Monitoring = new MonitoringService.MonitoringServiceClient(services.Channel(_monitoring.Grpc));
            }

            var replica = await services.StartInferenceAsync(
                services.NewFolder("replay"), _prefix, more: [("services__monitoring__grpc__0", _monitoring.Grpc.ToString()), .. more]);
            _processes.Add(replica);
            if (more.Length == 0) _plain = replica;
            return replica;
        }

        public HttpClient Http(ServiceProcess replica)
        {
            var client = new HttpClient { BaseAddress = replica.Http };
            _clients.Add(client);
            return client;
        }

        public async Task DisposeAsync()
        {
            foreach (var client in _clients) client.Dispose();
            for (var i = _processes.Count - 1; i >= 0; i--) await _processes[i].DisposeAsync();
            await _database.DisposeAsync();
        }
    }
}
