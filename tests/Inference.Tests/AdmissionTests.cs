using MlOps.Inference.Admission;
using MlOps.Inference.Predictions;

namespace MlOps.Inference.Tests;

public sealed class AdmissionTests : IDisposable
{
    // Two threads and a millisecond each: 2,000 requests a second are what it can do.
    private readonly SimulatedReplica _replica = new(new AdmissionOptions { MinConcurrency = 8 }, TimeSpan.FromMilliseconds(1));

    public void Dispose() => _replica.Dispose();

    [Fact]
    public void With_room_to_spare_nobody_is_refused()
    {
        _replica.Run(TimeSpan.FromSeconds(5), (CallTier.Stable, 1_000), (CallTier.Canary, 300), (CallTier.Shadow, 300));

        Assert.Empty(_replica.Refused);
        Assert.Equal(1_000, _replica.Gate.Limit);
    }

    [Fact]
    public void A_burst_that_drains_is_no_overload()
    {
        _replica.Run(TimeSpan.FromSeconds(1), (CallTier.Stable, 500));
        for (var round = 0; round < 5; round++)
        {
            // 80 ms of work at once.
            for (var i = 0; i < 160; i++) _replica.Arrive(CallTier.Stable);
            _replica.Run(TimeSpan.FromSeconds(1), (CallTier.Stable, 500));
        }

        Assert.Empty(_replica.Refused);
    }

    [Fact]
    public void What_is_too_much_is_refused_and_the_rest_waits_little()
    {
        _replica.Run(TimeSpan.FromSeconds(10), (CallTier.Stable, 3_000));
        _replica.Forget();
        _replica.Run(TimeSpan.FromSeconds(10), (CallTier.Stable, 3_000));

        // A refusal costs a tenth, so of 3,000 it can answer 1,888 a second.
        Assert.InRange(_replica.Answered[CallTier.Stable], 17_000, 18_900);
        Assert.InRange(_replica.Refused[CallTier.Stable], 11_000, 13_000);
        Assert.InRange(_replica.Delays.Average(d => d.TotalMilliseconds), 0, 40);
        Assert.InRange(_replica.Delays.Max().TotalMilliseconds, 0, 100);
    }

    [Fact]
    public void Shadows_are_refused_first_then_canaries_then_what_is_stable()
    {
        double RefusedShare(CallTier tier) =>
            _replica.Refused.GetValueOrDefault(tier) / (double)(_replica.Refused.GetValueOrDefault(tier) + _replica.Answered.GetValueOrDefault(tier));

        _replica.Run(TimeSpan.FromSeconds(10), (CallTier.Stable, 1_000), (CallTier.Canary, 400), (CallTier.Shadow, 1_500));
        _replica.Forget();
        _replica.Run(TimeSpan.FromSeconds(10), (CallTier.Stable, 1_000), (CallTier.Canary, 400), (CallTier.Shadow, 1_500));
        Assert.InRange(RefusedShare(CallTier.Shadow), 0.3, 1);
        Assert.Equal(0, RefusedShare(CallTier.Canary));
        Assert.Equal(0, RefusedShare(CallTier.Stable));

        _replica.Run(TimeSpan.FromSeconds(10), (CallTier.Stable, 1_500), (CallTier.Canary, 1_500), (CallTier.Shadow, 1_000));
        _replica.Forget();
        _replica.Run(TimeSpan.FromSeconds(10), (CallTier.Stable, 1_500), (CallTier.Canary, 1_500), (CallTier.Shadow, 1_000));
        Assert.InRange(RefusedShare(CallTier.Shadow), 0.99, 1);
        Assert.InRange(RefusedShare(CallTier.Canary), 0.3, 0.99);
        Assert.Equal(0, RefusedShare(CallTier.Stable));
    }

    [Fact]
    public void When_the_load_goes_all_are_let_in_again()
    {
        _replica.Run(TimeSpan.FromSeconds(10), (CallTier.Stable, 6_000));
        Assert.NotEmpty(_replica.Refused);
        _replica.Run(TimeSpan.FromSeconds(1), (CallTier.Stable, 1_000));
        _replica.Forget();

        _replica.Run(TimeSpan.FromSeconds(10), (CallTier.Stable, 1_600), (CallTier.Shadow, 100));

        Assert.Empty(_replica.Refused);
    }

    [Fact]
    public void However_fast_it_is_never_more_than_the_most_are_under_way()
    {
        using var replica = new SimulatedReplica(new AdmissionOptions { MaxConcurrency = 4 }, TimeSpan.FromMilliseconds(1));

        Assert.All(Enumerable.Range(0, 4), _ => Assert.True(replica.Gate.TryEnter(CallTier.Stable)));
        Assert.False(replica.Gate.TryEnter(CallTier.Stable));
        replica.Gate.Leave();
        Assert.True(replica.Gate.TryEnter(CallTier.Stable));
        for (var i = 0; i < 2; i++) replica.Gate.Leave();
        Assert.False(replica.Gate.TryEnter(CallTier.Shadow));
        Assert.True(replica.Gate.TryEnter(CallTier.Canary));
        Assert.False(replica.Gate.TryEnter(CallTier.Canary));
    }
}
