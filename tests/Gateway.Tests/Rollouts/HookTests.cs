using System.Collections.Concurrent;
using System.Net;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using MlOps.Contracts.Gateway.V1;
using MlOps.TestServers;

namespace MlOps.Gateway.Tests.Rollouts;

/// <summary>Who is asked on the way of a rollout, over HTTP.</summary>
[Collection(nameof(RolloutPlatform))]
public sealed class HookTests(RolloutPlatform platform)
{
    [ServerFact]
    public async Task Each_hook_is_asked_in_its_place_and_a_no_holds_the_rollout()
    {
        await using var asked = await AskedAsync();
        var model = await platform.NewModelAsync("hooks", TrialModels.Line(0), TrialModels.Line(1));
        await platform.StartAsync(model, 2, PlanOf(
            asked, "confirm-rollout", "pre-rollout", "confirm-traffic-increase", "confirm-promotion", "post-rollout", "event"));

        foreach (var (type, phase) in new[]
        {
            ("confirm-rollout", "Waiting"), ("pre-rollout", "Waiting"), ("confirm-traffic-increase", "Progressing"),
            ("confirm-promotion", "WaitingPromotion"),
        })
        {
            await Eventually.Async(() => asked.Count(type) > 1, RolloutPlatform.Deadline);
            Assert.Equal((phase, 0), ((await platform.GetAsync(model)).Phase, asked.Count("post-rollout")));
            asked.Allow(type);
        }

        await platform.WhenInAsync(model, "Succeeded");
        await Eventually.Async(() => asked.Count("post-rollout") > 0, RolloutPlatform.Deadline);
        var body = asked.Last("confirm-promotion");
        Assert.Equal((model, "mlops", "WaitingPromotion"), (Text(body["name"]), Text(body["namespace"]), Text(body["phase"])));
        Assert.Equal(("2", "1", "platform"), (Text(body["metadata"]?["version"]), Text(body["metadata"]?["stable_version"]), Text(body["metadata"]?["team"])));
        Assert.Equal(Text(asked.Last("confirm-rollout")["checksum"]), Text(body["checksum"]));
        Assert.Contains(asked.All("event"), e => Text(e["metadata"]?["eventMessage"]).StartsWith("weight 30 %", StringComparison.Ordinal));
    }

    [ServerFact]
    public async Task A_rollback_hook_that_says_yes_takes_everybody_back()
    {
        await using var asked = await AskedAsync();
        var model = await platform.NewModelAsync("hook-back", TrialModels.Line(0), TrialModels.Line(1));
        var plan = PlanOf(asked, "rollback");
        plan.Steps.Add(new RolloutStep { Pause = new PauseStep() });
        await platform.StartAsync(model, 2, plan);
        await platform.WhenAsync(model, r => r.Weight == 0.3 && asked.Count("rollback") > 1);
        asked.Allow("rollback");
        var rollout = await platform.WhenInAsync(model, "Failed");
        Assert.Equal("the hook my rollback asks for it", rollout.Message);
        Assert.Equal(1, await platform.ChampionAsync(model));
    }

    private static RolloutPlan PlanOf(HookPeer asked, params string[] types) => new()
    {
        Steps = { new RolloutStep { SetWeight = 0.3 } },
        Hooks =
        {
            types.Select(t => new RolloutHook
            {
                Type = t, Name = $"my {t}", Url = new Uri(asked.Address, t).ToString(), Metadata = { ["team"] = "platform" },
            }),
        },
    };

    private static string Text(JsonNode? node) => node?.GetValue<string>() ?? "";

    private static async Task<HookPeer> AskedAsync()
    {
        var peer = new HookPeer();
        await peer.StartAsync();
        return peer;
    }

    /// <summary>Says no to every type of hook until it is told to allow it; to those that only tell, yes.</summary>
    private sealed class HookPeer : IAsyncDisposable
    {
        private readonly ConcurrentQueue<(string Type, JsonNode Body)> _asked = new();
        private readonly ConcurrentDictionary<string, bool> _allowed = new() { ["event"] = true, ["post-rollout"] = true };
        private readonly WebApplication _app;

        public HookPeer()
        {
            var builder = WebApplication.CreateBuilder();
            builder.Logging.ClearProviders();
            var port = FreePorts.Take();
            builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port));
            _app = builder.Build();
            _app.MapPost("/{type}", (string type, JsonNode body) =>
            {
                _asked.Enqueue((type, body));
                return _allowed.ContainsKey(type) ? Results.Ok() : Results.StatusCode(403);
            });
            Address = new Uri($"http://127.0.0.1:{port}/");
        }

        public Uri Address { get; }

        public Task StartAsync() => _app.StartAsync();

        public void Allow(string type) => _allowed[type] = true;

        public int Count(string type) => _asked.Count(a => a.Type == type);

        public IEnumerable<JsonNode> All(string type) => _asked.Where(a => a.Type == type).Select(a => a.Body);

        public JsonNode Last(string type) => All(type).Last();

        public ValueTask DisposeAsync() => _app.DisposeAsync();
    }
}
