using System.Globalization;
using System.Text;
using MlOps.Contracts.Gateway.V1;
using MlOps.Contracts.Inference.V1;
using MlOps.Inference.Tests.BatchJobs;
using MlOps.TestServers;

namespace MlOps.Inference.Tests.Streams;

/// <summary>A message has the arm that a request of the same subject has at a real gateway.</summary>
[Collection(nameof(InferenceFixture))]
public sealed class StreamSplitTests(InferenceFixture services) : IAsyncLifetime
{
    private readonly PostgresDatabase<StreamSplitTests> _database = new();
    private BatchReplicas? _replicas;
    private ServiceProcess? _gateway;
    private ServiceProcess? _replica;

    public async Task InitializeAsync()
    {
        await _database.InitializeAsync();
        if (!Servers.AreThere) return;
        _replicas = await BatchReplicas.StartAsync(services);
        var environment = new Dictionary<string, string?>
        {
            ["ConnectionStrings__gatewaydb"] = _database.ConnectionString,
            ["ConnectionStrings__rabbitmq"] = Servers.RabbitMq,
            ["Bus__Prefix"] = _replicas.Prefix,
            ["Gateway__HoldoutShare"] = "0.1",
            ["Gateway__HoldoutSalt"] = "held",
        };
        foreach (var service in new[] { "featurestore", "training", "registry", "inference", "monitoring" })
        {
            environment[$"services__{service}__http__0"] = services.Inference.Http.ToString();
            environment[$"services__{service}__grpc__0"] = services.Inference.Grpc.ToString();
        }

        _gateway = await ServiceProcess.StartAsync("Gateway", environment);
        _replica = await _replicas.AddAsync(
            16_000, null, ("services__gateway__grpc__0", _gateway.Grpc.ToString()), ("Inference__Streams__PolicyInterval", "00:00:00.2"));
    }

    public async Task DisposeAsync()
    {
        if (_replicas is not null) await _replicas.DisposeAsync();
        if (_gateway is not null) await _gateway.DisposeAsync();
        await _database.DisposeAsync();
    }

    [ServerTheory]
    [InlineData("header")]
    [InlineData("input")]
    [InlineData("pointer")]
    public async Task Every_key_has_the_same_arm_over_a_stream_as_over_rest(string place)
    {
        var model = await services.NewModelAsync(Graphs.Times(2), Graphs.TimesSignature);
        await services.RegisterAsync(model, Graphs.Times(3), Graphs.TimesSignature);
        await services.RegisterAsync(model, Graphs.Times(5), Graphs.TimesSignature);
        var policy = new TrafficPolicy
        {
            Model = model,
            Arms = { Arm("champion", "1", 0.5), Arm("second", "2", 0.3), Arm("third", "3", 0.2) },
            Salt = $"salt-{place}",
            Coverage = 0.9,
            HasCoverage = true,
            Layer = new Layer { Name = $"layer-{Guid.NewGuid():N}", Start = 0.05, End = 0.9 },
            SubjectInput = place == "input" ? "user" : "",
            SubjectJson = place == "pointer" ? "/rows/0/user" : "",
        };
        await new GatewayService.GatewayServiceClient(services.Channel(_gateway!.Grpc)).PutTrafficPolicyAsync(
            new PutTrafficPolicyRequest { Policy = policy, Actor = "test", Reason = "test" });
        await new StreamScoringService.StreamScoringServiceClient(services.Channel(_replica!.Grpc)).PutStreamAsync(
            new PutStreamRequest { Stream = new ModelStream { Model = model } });
        await using var peer = await StreamPeer.OpenAsync(_replicas!.Prefix, model);
        await using var log = await LoggedPredictions.ListenAsync(_replicas.Prefix);
        // The stream knows the policy once its answers say so.
        await Eventually.Async(
            async () =>
            {
                await peer.SendAsync($"probe-{Guid.NewGuid():N}", Body("\"probe\""));
                return peer.Answers.Any(a => a.Json.GetProperty("variant").GetString()!.Length > 0);
            },
            TimeSpan.FromSeconds(60));

        var keys = Keys(place == "header").ToList();
        var atTheDoor = new List<(string, string)>();
        using var http = new HttpClient { BaseAddress = _gateway.Http };
        for (var n = 0; n < keys.Count; n++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, $"v1/models/{model}/predict")
            {
                Content = new StringContent(Body(place == "header" ? "1" : keys[n]), Encoding.UTF8, "application/json"),
            };
            if (place == "header") request.Headers.TryAddWithoutValidation("x-mlops-subject", keys[n]);
            using var answer = await http.SendAsync(request);
            var json = System.Text.Json.JsonDocument.Parse(await answer.Content.ReadAsStringAsync()).RootElement;
            atTheDoor.Add((json.GetProperty("variant").GetString()!, json.GetProperty("version").GetString()!));
            await peer.SendAsync($"k{n}", Body(place == "header" ? "1" : keys[n]), subject: place == "header" ? keys[n] : "");
        }

        await Eventually.Async(() => peer.Answers.Count(a => a.Id[0] == 'k') == keys.Count, TimeSpan.FromSeconds(60));
        var overTheStream = peer.Answers.Where(a => a.Id[0] == 'k')
            .Select(a => (a.Json.GetProperty("variant").GetString()!, a.Json.GetProperty("version").GetString()!)).ToList();
        Assert.Equal(atTheDoor, overTheStream);
        Assert.Equal(3, overTheStream.Distinct().Count());
        await Eventually.Async(() => log.Records.Any(r => r.Variant == "third"), TimeSpan.FromSeconds(60));
        Assert.All(log.Records, r => Assert.Equal("stream", r.Mode));
    }

    private static Arm Arm(string name, string version, double weight) => new() { Name = name, Version = version, Weight = weight };

    // As JSON where they stand in the body.
    private static IEnumerable<string> Keys(bool areHeaders)
    {
        for (var n = 0; n < 200; n++) yield return areHeaders ? $"user-{n}" : $"\"user-{n}\"";
        if (areHeaders) yield break;
        foreach (var odd in new[] { "17", "-3", "17.0", "0.1", "1e3", "1e300", "true", "false", "\"Ü\\u00fc\\n\"", "1.5e-7" }) yield return odd;
    }

    private static string Body(string user) => string.Create(CultureInfo.InvariantCulture, $$"""{"rows":[{"x":1,"user":{{user}}}]}""");
}
