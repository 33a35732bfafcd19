using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;
using MlOps.Gateway.Access;
using MlOps.Gateway.Access.Keys;
using MlOps.Gateway.Access.Limits;
using Xunit.Abstractions;

namespace MlOps.Gateway.Tests.Access;

public sealed class HotPathTests(ITestOutputHelper output)
{
    [Fact]
    public void Knowing_a_key_finding_its_right_and_counting_the_request_allocate_nothing()
    {
        var (id, secret) = (KeyText.NewId(), KeyText.NewSecret());
        var now = TimeProvider.System.GetUtcNow();
        var stored = new StoredKey(
            new ApiKey(
                id, "bench", [new Grant(Role.Find("predict")!, "flight-*")], null, null, now, "tests", now.AddDays(1), null, null, null, null, 1),
            SecretHash.Of(secret), null);
        var keys = new KeySnapshot(1, [new KnownKey(stored, new LastUsed.Stamp())]);
        var tree = new RouteTree(AccessTable.Rules);
        var limits = new RateLimits(
            Options.Create(new AccessOptions { RequestsPerSecond = 1_000_000, Burst = 1_000_000 }), TimeProvider.System);
        var http = new DefaultHttpContext();
        http.Request.Headers.Authorization = "Bearer " + KeyText.Of(id, secret);
        const string path = "/v2/models/flight-delay/infer";

        const int requests = 20_000;
        Assert.Equal(requests, Pass(requests));
        var before = GC.GetAllocatedBytesForCurrentThread();
        var start = TimeProvider.System.GetTimestamp();
        Pass(requests);
        var elapsed = TimeProvider.System.GetElapsedTime(start);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        // Said, not asserted: figures belong to a machine.
        output.WriteLine($"{elapsed.TotalNanoseconds / requests:0} ns a request");

        int Pass(int times)
        {
            var passed = 0;
            for (var i = 0; i < times; i++)
            {
                if (!Authenticator.TryRead(http.Request.Headers, out var credential)
                    || !KeyText.TryRead(credential, out var name, out var word)
                    || keys.Find(name) is not { } key) continue;
                var time = TimeProvider.System.GetUtcNow();
                if (!key.Opens(word, time) || !tree.TryFind("POST", path, out var rule, out var model)) continue;
                key.NoteUse(time);
                var caller = key.Caller;
                if (caller.May(rule.Needs, path.AsSpan()[model]) && limits.Of(caller) is { } limit
                    && limits.Take(caller, limit, path.AsSpan()[model]) is null) passed++;
            }

            return passed;
        }
    }
}
