using System.Net;
using MlOps.TestServers;

namespace MlOps.Gateway.Tests.Resilience;

/// <summary>What no honest client sends: it hurts nobody else, and reaches no service as anything but what it is.</summary>
public sealed class HostileClientTests(Platform<HostileClientTests> platform) : IClassFixture<Platform<HostileClientTests>>
{
    [ServerFact]
    public async Task Slow_senders_of_headers_and_bodies_are_cut_off_and_others_are_served_meanwhile()
    {
        await using var gateway = await platform.StartReplicaAsync("--Gateway:RequestHeadersTimeout=00:00:02");
        var slow = await Task.WhenAll(Enumerable.Range(0, 200).Select(_ => RawHttp.ConnectAsync(gateway.Http1)));
        foreach (var (raw, i) in slow.Select((r, i) => (r, i)))
        {
            await raw.SendAsync(i % 2 == 0
                ? "POST /v2/models/m/infer HTTP/1.1\r\nhost: h\r\nx-slow: "
                : "POST /v2/models/m/infer HTTP/1.1\r\nhost: h\r\ncontent-length: 1000\r\n\r\n{");
        }

        for (var i = 0; i < 50; i++)
        {
            using var answer = await gateway.Rest.PostAsync("/v2/models/m/infer", new ByteArrayContent(new byte[100]));
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }

        var ends = await Task.WhenAll(slow.Select(s => s.ReadToEndAsync()));
        Assert.All(ends, e => Assert.DoesNotContain("200 OK", e, StringComparison.Ordinal));
        foreach (var raw in slow) raw.Dispose();
    }

    [ServerTheory]
    [InlineData("POST /v2/models/m/infer HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!")]
    [InlineData("POST /v2/models/m/infer HTTP/1.1\r\nhost: h\r\ncontent-length : 5\r\n\r\nhello")]
    [InlineData("POST /v2/models/m/infer HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n")]
    [InlineData("POST /v2/models/m/infer HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n")]
    [InlineData("POST /v2/models/m/infer HTTP/1.1\r\nhost: h\r\nhost: other\r\n\r\n")]
    [InlineData("POST /v2/models/m/infer HTTP/1.1\r\nhost: h\r\n x-mlops-model-version: 9\r\n\r\n")]
    [InlineData("POST /v2/models/m/infer HTTP/1.1\r\nhost: h\r\nx-a: b\r\n\tfolded: c\r\n\r\n")]
    [InlineData("POST /v2/models/m/infer\0 HTTP/1.1\r\nhost: h\r\n\r\n")]
    public async Task A_request_that_two_servers_could_read_differently_reaches_no_service(string request)
    {
        var before = platform.Peer.Requests.Count;
        using var raw = await RawHttp.ConnectAsync(platform.Gateway.Http1);
        await raw.SendAsync(request);
        Assert.Contains(" 400 Bad Request", await raw.ReadToEndAsync(), StringComparison.Ordinal);
        Assert.Equal(before, platform.Peer.Requests.Count);
    }

    [ServerFact]
    public async Task A_second_request_hidden_behind_a_wrong_length_stays_part_of_the_first()
    {
        platform.Peer.Requests.Clear();
        const string hidden = "POST /v2/repository/models/m/unload HTTP/1.1\r\nhost: h\r\n\r\n";
        using var raw = await RawHttp.ConnectAsync(platform.Gateway.Http1);
        // Both lengths: the chunks count (RFC 9112, section 6.3), or the request is refused; never the shorter of the two.
        await raw.SendAsync(
            "POST /v2/models/m/infer HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n"
            + $"{hidden.Length:x}\r\n{hidden}\r\n0\r\n\r\n");
        await raw.ReadToEndAsync();
        Assert.DoesNotContain(platform.Peer.Requests, r => r.Path.Contains("unload", StringComparison.Ordinal));
        Assert.All(platform.Peer.Requests, r => Assert.Equal(hidden.Length, r.Body.Length));
    }

    [ServerFact]
    public async Task What_only_the_gateway_may_say_cannot_be_said_in_another_spelling()
    {
        await platform.Gateway.Policies.PutAsync(Samples.Only("smuggled", "7"));
        platform.Peer.Requests.Clear();
        using var raw = await RawHttp.ConnectAsync(platform.Gateway.Http1);
        await raw.SendAsync(
            "POST /v2/models/smuggled/infer HTTP/1.1\r\nhost: h\r\nX-MLOPS-Model-Version: 9\r\nx-mlops-model-version: 8\r\nx-mlops-internal: guessed\r\n"
            + "x-mlops-tier: stable\r\nx-mlops-shadow-of: 0\r\nconnection: close, x-mlops-model-version, x-mlops-variant, x-mlops-internal\r\ncontent-length: 0\r\n\r\n");
        Assert.Contains("200 OK", await raw.ReadToEndAsync(), StringComparison.Ordinal);
        var seen = Assert.Single(platform.Peer.Requests);
        Assert.Equal(("7", "only"), (seen.Headers["x-mlops-model-version"], seen.Headers["x-mlops-variant"]));
        Assert.False(seen.Headers.ContainsKey("x-mlops-shadow-of"));
        Assert.False(seen.Headers.ContainsKey("x-mlops-internal"));
    }

    [ServerTheory]
    [InlineData(40_000, 1, "431")]
    [InlineData(10, 200, "431")]
    public async Task Headers_that_are_too_large_or_too_many_are_refused(int length, int count, string status)
    {
        using var raw = await RawHttp.ConnectAsync(platform.Gateway.Http1);
        var headers = string.Concat(Enumerable.Range(0, count).Select(i => $"x-{i}: {new string('a', length)}\r\n"));
        await raw.SendAsync($"POST /v2/models/m/infer HTTP/1.1\r\nhost: h\r\n{headers}\r\n");
        Assert.Contains($" {status} ", await raw.ReadToEndAsync(), StringComparison.Ordinal);
        using var other = await platform.Gateway.Rest.PostAsync("/v2/models/m/infer", null);
        Assert.Equal(HttpStatusCode.OK, other.StatusCode);
    }
}
