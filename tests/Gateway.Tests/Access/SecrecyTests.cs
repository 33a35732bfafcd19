using System.Collections.Concurrent;
using System.Diagnostics;
using MlOps.Contracts.OpenInference;
using MlOps.Gateway.Access.Keys;
using MlOps.ServiceDefaults;
using MlOps.TestServers;

namespace MlOps.Gateway.Tests.Access;

public sealed class SecrecyTests(
    ClosedPlatform<SecrecyTests> platform, PostgresDatabase<SecrecyTests.Logged> database, BusPrefix<SecrecyTests.Logged> prefix)
    : IClassFixture<ClosedPlatform<SecrecyTests>>, IClassFixture<PostgresDatabase<SecrecyTests.Logged>>, IClassFixture<BusPrefix<SecrecyTests.Logged>>
{
    [ServerFact]
    public async Task No_span_has_a_secret()
    {
        var seen = new ConcurrentQueue<string>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = _ => true,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = activity =>
            {
                seen.Enqueue($"{activity.DisplayName} {activity.StatusDescription}");
                foreach (var tag in activity.TagObjects) seen.Enqueue($"{tag.Key}={tag.Value}");
                foreach (var e in activity.Events) seen.Enqueue(e.Name + string.Join(' ', e.Tags.Select(t => $"{t.Key}={t.Value}")));
                foreach (var item in activity.Baggage) seen.Enqueue($"{item.Key}={item.Value}");
            },
        };
        ActivitySource.AddActivityListener(listener);

        var made = await platform.KeyAsync(("viewer", "*"));
        await UseAsync(platform.Gateway.Rest, made.Text);
        await new GRPCInferenceService.GRPCInferenceServiceClient(platform.Gateway.Channel).ModelInferAsync(
            new ModelInferRequest { ModelName = "m" }, ClosedPlatform<SecrecyTests>.As(made.Text), Samples.Soon);

        Assert.Contains(seen, s => s == $"enduser.id=key:{made.Key.Id}");
        Assert.DoesNotContain(seen, s => Leaks(s, made.Text) || Leaks(s, platform.AdminKey));
    }

    [ServerFact]
    public async Task No_line_of_the_log_has_a_secret_however_much_is_logged()
    {
        var (admin, credential) = (KeyText.Of(KeyText.NewId(), KeyText.NewSecret()), KeyText.NewSecret());
        var environment = new Dictionary<string, string?>
        {
            ["ConnectionStrings__gatewaydb"] = database.ConnectionString,
            ["ConnectionStrings__rabbitmq"] = Servers.RabbitMq,
            ["Bus__Prefix"] = prefix.Value,
            ["Access__Mode"] = "Closed",
            ["Access__AdminKey"] = admin,
            [PlatformCredential.Setting] = credential,
        };
        foreach (var category in new[] { "Default", "Microsoft.AspNetCore", "Yarp", "Grpc", "System.Net.Http.HttpClient" })
            environment[$"Logging__LogLevel__{category}"] = "Trace";
        foreach (var service in GatewayReplica.Services)
        {
            environment[$"services__{service}__http__0"] = $"http://127.0.0.1:{platform.Peer.HttpPort}";
            environment[$"services__{service}__grpc__0"] = $"http://127.0.0.1:{platform.Peer.GrpcPort}";
        }

        await using var gateway = await ServiceProcess.StartAsync("Gateway", environment);
        using var rest = new HttpClient { BaseAddress = gateway.Http };
        var key = await UseAsync(rest, admin);
        await UseAsync(rest, key[..^1] + (key[^1] == 'A' ? 'B' : 'A'), isGood: false);
        await gateway.StopAsync();

        var log = gateway.Log;
        Assert.Contains("was made by key:", log, StringComparison.Ordinal);
        foreach (var secret in new[] { admin, key, credential }) Assert.False(Leaks(log, secret), "a secret is in the log");
        // It did reach the service, so it could have been logged.
        Assert.Contains(platform.Peer.Requests, r => r.Headers.GetValueOrDefault(PlatformCredential.Header) == credential);
    }

    // Asks, and makes a key; answers its text.
    private static async Task<string> UseAsync(HttpClient rest, string key, bool isGood = true)
    {
        rest.DefaultRequestHeaders.Remove("x-api-key");
        rest.DefaultRequestHeaders.Add("x-api-key", key);
        using var answer = await rest.PostAsync("/v2/models/m/infer", null);
        Assert.Equal(isGood, answer.IsSuccessStatusCode);
        using var made = await rest.PostAsync(
            "/v1/access/keys",
            new StringContent("""{"name": "n", "grants": [{"role": "viewer", "models": "*"}]}""", null, "application/json"));
        rest.DefaultRequestHeaders.Remove("x-api-key");
        var text = System.Text.RegularExpressions.Regex.Match(await made.Content.ReadAsStringAsync(), "mlops_[a-z2-7]{16}_[A-Za-z0-9_-]{43}").Value;
        return text.Length > 0 ? text : key;
    }

    private static bool Leaks(string text, string secret) => text.Contains(secret[^KeyText.SecretLength..], StringComparison.Ordinal);

    /// <summary>Names the database of the gateway whose log is read.</summary>
    public sealed class Logged;
}
