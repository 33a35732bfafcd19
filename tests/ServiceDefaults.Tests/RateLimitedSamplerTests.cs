using MlOps.ServiceDefaults.Telemetry;
using MlOps.TestServers;
using OpenTelemetry.Trace;

namespace MlOps.ServiceDefaults.Tests;

public sealed class RateLimitedSamplerTests
{
    private readonly ManualTimeProvider _time = new();

    [Fact]
    public void A_flood_is_cut_to_the_rate_and_a_trickle_is_kept_whole()
    {
        var sampler = new RateLimitedSampler(10, _time);

        Assert.Equal(10, Kept(sampler, 1_000));
        _time.Advance(TimeSpan.FromSeconds(0.5));
        Assert.Equal(5, Kept(sampler, 1_000));
        for (var i = 0; i < 20; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(0.2));
            Assert.Equal(1, Kept(sampler, 1));
        }
    }

    [Fact]
    public void What_was_not_used_for_long_does_not_pile_up()
    {
        var sampler = new RateLimitedSampler(10, _time);
        _time.Advance(TimeSpan.FromHours(1));

        Assert.Equal(10, Kept(sampler, 1_000));
    }

    private static int Kept(RateLimitedSampler sampler, int asked) =>
        Enumerable.Range(0, asked).Count(_ => sampler.ShouldSample(default).Decision == SamplingDecision.RecordAndSample);
}
