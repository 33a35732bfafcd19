using Microsoft.Extensions.Options;
using MlOps.Gateway.Access;
using MlOps.Gateway.Access.Limits;
using MlOps.TestServers;

namespace MlOps.Gateway.Tests.Access;

public sealed class RateLimitTests
{
    private readonly ManualTimeProvider _time = new();

    [Theory]
    [InlineData(10, 1)]
    [InlineData(10, 25)]
    [InlineData(0.5, 3)]
    [InlineData(997, 100)]
    public void Over_any_stretch_of_time_no_more_than_burst_and_rate_go_through_and_a_patient_caller_gets_all_of_it(double rate, int burst)
    {
        var bucket = new TokenBucket();
        var limit = new RateLimit(rate, burst);
        var random = new Random(3);
        var taken = new List<long>();
        var now = 1_000_000_000L;
        for (var i = 0; i < 5_000; i++)
        {
            now += random.Next((int)(2 * TimeSpan.TicksPerSecond / rate));
            if (bucket.TryTake(limit, now, TimeSpan.TicksPerSecond, out var wait)) taken.Add(now);
            else if (random.Next(4) == 0)
            {
                // What it says is the truth: not a tick earlier, and then for sure.
                Assert.False(bucket.TryTake(limit, now + wait - 1, TimeSpan.TicksPerSecond, out _));
                now += wait;
                Assert.True(bucket.TryTake(limit, now, TimeSpan.TicksPerSecond, out _));
                taken.Add(now);
            }
        }

        var each = (long)(TimeSpan.TicksPerSecond / rate);
        for (var from = 0; from < taken.Count; from += 7)
        {
            for (var to = from; to < Math.Min(taken.Count, from + (3 * burst) + 20); to++)
                Assert.True(to - from + 1 <= burst + ((taken[to] - taken[from]) / each) + 1, $"{to - from + 1} in {taken[to] - taken[from]} ticks");
        }
    }

    [Fact]
    public void A_rested_bucket_holds_its_burst_and_no_more()
    {
        var bucket = new TokenBucket();
        var limit = new RateLimit(10, 5);
        var now = TimeSpan.TicksPerDay;
        for (var round = 0; round < 3; round++, now += TimeSpan.TicksPerHour)
        {
            for (var i = 0; i < 5; i++) Assert.True(bucket.TryTake(limit, now, TimeSpan.TicksPerSecond, out _));
            Assert.False(bucket.TryTake(limit, now, TimeSpan.TicksPerSecond, out var wait));
            Assert.Equal(TimeSpan.TicksPerSecond / 10, wait);
            Assert.False(bucket.IsFull(now));
        }

        Assert.True(bucket.IsFull(now));
    }

    [Fact]
    public void Callers_and_models_are_limited_apart()
    {
        var limits = Limits(rate: 1, burst: 1);
        var (ann, bob) = (Named("ann"), Named("bob"));
        Assert.Null(Take(limits, ann, "m"));
        Assert.Null(Take(limits, ann, "n"));
        Assert.Null(Take(limits, bob, "m"));
        var refusal = Take(limits, ann, "m");
        Assert.Equal(("RATE_LIMITED", 429, TimeSpan.FromSeconds(1)), (refusal?.Code, refusal?.Http, refusal?.RetryAfter));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Null(Take(limits, ann, "m"));
    }

    [Fact]
    public void A_keys_own_limits_go_before_the_platforms()
    {
        var limits = Limits(rate: 100, burst: 200);
        Assert.Equal(new RateLimit(100, 200), limits.Of(Named("ann")));
        Assert.Equal(new RateLimit(5, 5), limits.Of(new Caller("k", [], "", rate: 5)));
        Assert.Equal(new RateLimit(0.25, 1), limits.Of(new Caller("k", [], "", rate: 0.25)));
        Assert.Equal(new RateLimit(100, 7), limits.Of(new Caller("k", [], "", burst: 7)));
        Assert.Null(Limits(rate: 0, burst: 1).Of(Named("ann")));
        Assert.Equal(new RateLimit(5, 9), Limits(rate: 0, burst: 1).Of(new Caller("k", [], "", rate: 5, burst: 9)));
    }

    [Fact]
    public void Invented_models_take_no_more_memory_than_there_is_room_for_and_full_buckets_make_it()
    {
        var limits = Limits(rate: 1, burst: 2);
        var (ann, eve) = (Named("ann"), Named("eve"));
        Assert.Null(Take(limits, ann, "m"));
        Assert.Null(Take(limits, ann, "m"));
        for (var i = 0; i < RateLimits.Capacity * 2; i++) Take(limits, eve, $"invented {i}");
        Assert.Equal(RateLimits.Capacity, limits.Count);
        // She shares a bucket by now; what is ann's stays ann's.
        Assert.NotNull(Take(limits, eve, "one more"));
        Assert.NotNull(Take(limits, ann, "m"));

        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Null(Take(limits, ann, "m"));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Null(Take(limits, eve, "another"));
        Assert.Equal(2, limits.Count);
        Assert.Null(Take(limits, ann, "m"));
        Assert.NotNull(Take(limits, ann, "m"));
    }

    [Fact]
    public void Counting_a_request_allocates_nothing()
    {
        var limits = Limits(rate: 1_000_000, burst: 1_000_000);
        var caller = Named("ann");
        TakeMany();
        var before = GC.GetAllocatedBytesForCurrentThread();
        TakeMany();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void TakeMany()
        {
            for (var i = 0; i < 1_000; i++) limits.Take(caller, limits.Of(caller) ?? throw new InvalidOperationException(), "flight-delay");
        }
    }

    private static MlOps.Gateway.Routes.Refusal? Take(RateLimits limits, Caller caller, string model) =>
        limits.Take(caller, limits.Of(caller) ?? throw new InvalidOperationException("There is a limit."), model);

    private RateLimits Limits(double rate, int burst) =>
        new(Options.Create(new AccessOptions { RequestsPerSecond = rate, Burst = burst }), _time);

    private static Caller Named(string name) => new(name, []);
}
