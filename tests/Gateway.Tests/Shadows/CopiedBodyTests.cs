using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using MlOps.Gateway.Shadows;
using MlOps.Gateway.Splits;

namespace MlOps.Gateway.Tests.Shadows;

public sealed class CopiedBodyTests
{
    [Theory]
    [InlineData(0, true)]
    [InlineData(1, false)]
    [InlineData(5_000, true)]
    [InlineData(100_000, false)]
    public async Task What_passes_is_kept_whole(int bytes, bool isLengthKnown)
    {
        var (budget, content) = (Budget(), Content(bytes));
        var body = new CopiedBody(new MemoryStream(content), isLengthKnown ? bytes : null, budget, 100_000);
        Assert.Equal(content, await ReadAsync(body, isToTheEnd: !isLengthKnown || bytes == 0));
        Assert.Equal(content, body.Take());
        // The copy is the taker's, and all it cost.
        Assert.Equal(bytes, budget.Taken);
    }

    [Fact]
    public async Task What_is_too_large_passes_without_being_kept()
    {
        var (budget, content) = (Budget(), Content(100_001));
        var body = new CopiedBody(new MemoryStream(content), null, budget, 100_000);
        Assert.Equal(content, await ReadAsync(body));
        Assert.Null(body.Take());
        Assert.Equal((true, false, 0L), (body.IsTooLarge, body.IsCrowdedOut, budget.Taken));
    }

    [Fact]
    public async Task What_there_is_no_room_for_passes_without_being_kept()
    {
        var (budget, content) = (Budget(), Content(50_000));
        Assert.True(budget.TryTake(480_000));
        var body = new CopiedBody(new MemoryStream(content), null, budget, 100_000);
        Assert.Equal(content, await ReadAsync(body));
        Assert.Null(body.Take());
        Assert.Equal((false, true, 480_000L), (body.IsTooLarge, body.IsCrowdedOut, budget.Taken));
    }

    [Fact]
    public async Task What_did_not_pass_as_a_whole_is_no_copy()
    {
        var budget = Budget();
        var body = new CopiedBody(new MemoryStream(Content(5_000)), null, budget, 100_000);
        _ = await body.ReadAsync(new byte[4_000]);
        Assert.Null(body.Take());
        // What comes after it was given up costs nothing either.
        _ = await body.ReadAsync(new byte[4_000]);
        Assert.Null(body.Take());
        Assert.Equal(0, budget.Taken);
    }

    [Fact]
    public void A_request_is_copied_by_its_id_and_a_larger_rate_holds_every_smaller_one()
    {
        var taps = new ShadowTaps(Budget(), new ShadowQueue(Options.Create(new ShadowOptions())), Options.Create(new ShadowOptions()));
        string[] ids = [.. Enumerable.Range(0, 20_000).Select(i => $"request-{i}")];
        HashSet<string> before = [];
        foreach (var rate in new[] { 0.01, 0.1, 0.5, 1 })
        {
            var shadow = Shadow(rate);
            HashSet<string> taken = [.. ids.Where(id => IsTaken(id, shadow))];
            Assert.True(taken.SetEquals(ids.Where(id => IsTaken(id, shadow))));
            Assert.True(before.IsSubsetOf(taken));
            // Four standard deviations.
            Assert.InRange(taken.Count, (20_000 * rate) - (4 * Math.Sqrt(20_000 * rate * (1 - rate))), (20_000 * rate) + (4 * Math.Sqrt(20_000 * rate * (1 - rate))));
            before = taken;
        }

        bool IsTaken(string id, SplitShadow shadow)
        {
            var http = new DefaultHttpContext();
            http.Request.Headers["x-request-id"] = id;
            taps.Begin(http, [shadow]);
            return http.Features.Get<ShadowTap>() is not null;
        }
    }

    private static SplitShadow Shadow(double rate) =>
        new(new TrafficPolicy("m", [], "m", 1, "", 1, default), new PolicyShadow("2", rate), Metrics());

    private static ShadowBudget Budget() => new(Options.Create(new ShadowOptions { MaxBytes = 500_000 }), Metrics());

    private static GatewayMetrics Metrics() =>
        new(new ServiceCollection().AddMetrics().BuildServiceProvider().GetRequiredService<System.Diagnostics.Metrics.IMeterFactory>());

    private static byte[] Content(int bytes)
    {
        var content = new byte[bytes];
        new Random(bytes).NextBytes(content);
        return content;
    }

    private static async Task<byte[]> ReadAsync(CopiedBody body, bool isToTheEnd = true)
    {
        var passed = new MemoryStream();
        var buffer = new byte[3_000];
        for (int read; (read = await body.ReadAsync(buffer)) > 0;)
        {
            passed.Write(buffer, 0, read);
            // As a forwarder does that knows how long it is.
            if (!isToTheEnd && read < buffer.Length) break;
        }

        return passed.ToArray();
    }
}
