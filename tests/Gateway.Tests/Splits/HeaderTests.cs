using System.Net;
using System.Net.Sockets;
using System.Text;
using Grpc.Core;
using MlOps.Contracts.OpenInference;
using MlOps.TestServers;

namespace MlOps.Gateway.Tests.Splits;

/// <summary>What only the gateway may say, no client can, however it spells, repeats or lists it.</summary>
public sealed class HeaderTests(Platform<HeaderTests> platform) : IClassFixture<Platform<HeaderTests>>
{
    private static readonly string[] Own =
    [
        "x-mlops-variant", "x-mlops-tier", "x-mlops-shadow-of", "x-mlops-model-version", "x-mlops-prediction-id", "x-mlops-assignment",
        "x-mlops-force-arm",
    ];

    [ServerTheory]
    [InlineData("{0}: forged")]
    [InlineData("{1}: forged")]
    [InlineData("{0}: forged\r\n{0}: again")]
    [InlineData("{0}: forged\r\n{1}: again\r\n{2}: and again")]
    [InlineData("{0}: forged, again")]
    [InlineData("{0}:forged")]
    [InlineData("{0}:\tforged\r\n{0}:")]
    [InlineData("connection: {0}\r\n{0}: forged")]
    public async Task The_gateways_own_headers_are_taken_from_every_rest_request(string form)
    {
        await platform.Gateway.Policies.PutAsync(Samples.NinetyTen("guarded"));
        foreach (var path in new[] { "/v2/models/guarded/infer", "/v2/models/stranger/infer", "/v2/models/guarded/versions/3/infer", "/v2/health/ready" })
        {
            // A token for an arm that is no token is refused where it matters.
            foreach (var name in Own.Where(n => n != "x-mlops-force-arm" || !path.EndsWith("guarded/infer", StringComparison.Ordinal)))
            {
                platform.Peer.Requests.Clear();
                var lines = string.Format(null, form, name, name.ToUpperInvariant(), name.Replace("mlops", "MLops", StringComparison.Ordinal));
                var answer = await SendAsync($"POST {path} HTTP/1.1\r\nhost: gateway\r\n{lines}\r\nx-mlops-subject: s\r\ncontent-length: 0\r\n\r\n");
                Assert.StartsWith("HTTP/1.1 200", answer, StringComparison.Ordinal);
                var seen = Assert.Single(platform.Peer.Requests);
                Assert.DoesNotContain(seen.Headers.Values, v => v.Contains("forged", StringComparison.Ordinal) || v.Contains("again", StringComparison.Ordinal));
                Assert.Equal("s", seen.Headers["x-mlops-subject"]);
            }
        }
    }

    [ServerFact]
    public async Task The_gateways_own_metadata_are_taken_from_every_call()
    {
        await platform.Gateway.Policies.PutAsync(Samples.NinetyTen("guarded"));
        foreach (var model in new[] { "guarded", "stranger" })
        {
            platform.Peer.Requests.Clear();
            var forged = new Metadata { { "x-mlops-subject", "s" } };
            foreach (var name in Own.Where(n => n != "x-mlops-force-arm" || model == "stranger"))
            {
                forged.Add(name, "forged");
                forged.Add(name, "again");
            }

            await new GRPCInferenceService.GRPCInferenceServiceClient(platform.Gateway.Channel)
                .ModelInferAsync(new ModelInferRequest { ModelName = model }, forged, Samples.Soon);
            var seen = Assert.Single(platform.Peer.Requests);
            Assert.DoesNotContain(seen.Headers.Values, v => v.Contains("forged", StringComparison.Ordinal) || v.Contains("again", StringComparison.Ordinal));
        }
    }

    [ServerFact]
    public async Task The_first_arm_is_stable_and_the_others_are_canaries()
    {
        foreach (var (first, tier) in new[] { (1.0, "stable"), (0.0, "canary") })
        {
            var policy = Samples.NinetyTen("tiered");
            policy.Arms[0].Weight = first;
            policy.Arms[1].Weight = 1 - first;
            await platform.Gateway.Policies.PutAsync(policy);
            platform.Peer.Requests.Clear();
            using var response = await platform.Gateway.Rest.PostAsync("/v2/models/tiered/infer", null);
            Assert.Equal(tier, Assert.Single(platform.Peer.Requests).Headers["x-mlops-tier"]);
        }

        platform.Peer.Requests.Clear();
        using var unsplit = await platform.Gateway.Rest.PostAsync("/v2/models/untiered/infer", null);
        Assert.False(Assert.Single(platform.Peer.Requests).Headers.ContainsKey("x-mlops-tier"));
    }

    [ServerFact]
    public async Task A_subject_sent_twice_is_one_subject_by_either_protocol()
    {
        await platform.Gateway.Policies.PutAsync(Samples.NinetyTen("twice"));
        for (var i = 0; i < 40; i++)
        {
            platform.Peer.Requests.Clear();
            await SendAsync($"POST /v2/models/twice/infer HTTP/1.1\r\nhost: gateway\r\nx-mlops-subject: a\r\nX-Mlops-Subject: {i}\r\ncontent-length: 0\r\n\r\n");
            await SendAsync($"POST /v2/models/twice/infer HTTP/1.1\r\nhost: gateway\r\nx-mlops-subject: a, {i}\r\ncontent-length: 0\r\n\r\n");
            await new GRPCInferenceService.GRPCInferenceServiceClient(platform.Gateway.Channel).ModelInferAsync(
                new ModelInferRequest { ModelName = "twice" },
                new Metadata { { "x-mlops-subject", "a" }, { "x-mlops-subject", $"{i}" } }, Samples.Soon);
            Assert.Single(platform.Peer.Requests.Select(r => r.Variant).Distinct());
        }
    }

    private async Task<string> SendAsync(string request)
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(IPAddress.Loopback, platform.Gateway.Rest.BaseAddress!.Port); // set by Platform
        var stream = socket.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(request));
        var buffer = new byte[4096];
        var length = await stream.ReadAsync(buffer);
        return Encoding.ASCII.GetString(buffer, 0, length);
    }
}
