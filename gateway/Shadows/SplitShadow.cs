using System.Diagnostics;
using MlOps.Gateway.Splits;

namespace MlOps.Gateway.Shadows;

/// <summary>A shadow of a policy with everything a request needs of it at hand, and what became of its copies on this replica.</summary>
internal sealed class SplitShadow(TrafficPolicy policy, PolicyShadow shadow, GatewayMetrics metrics)
{
    private static readonly ShadowOutcome[] Outcomes = Enum.GetValues<ShadowOutcome>();
    private readonly long[] _counts = new long[Outcomes.Length];
    private readonly TagList[] _tags =
    [
        .. Outcomes.Select(o => new TagList([new("model", policy.Model), new("version", shadow.Version), new("outcome", Word(o))])),
    ];

    public string Model => policy.Model;

    public long Revision => policy.Revision;

    public string Version => shadow.Version;

    public double Rate => shadow.Rate;

    /// <summary>Of the platform's services none is asked twice with the same copy, so each is counted once.</summary>
    public void Count(ShadowOutcome outcome)
    {
        Interlocked.Increment(ref _counts[(int)outcome]);
        metrics.ShadowCopies.Add(1, in _tags[(int)outcome]);
    }

    /// <summary>By outcome, in their order.</summary>
    public long[] Read() => [.. Outcomes.Select(o => Volatile.Read(ref _counts[(int)o]))];

    /// <summary>As metrics name it.</summary>
    private static string Word(ShadowOutcome outcome) => outcome switch
    {
        ShadowOutcome.BothAnswered => "both-answered",
        ShadowOutcome.OnlyLiveAnswered => "only-live-answered",
        ShadowOutcome.OnlyShadowAnswered => "only-shadow-answered",
        ShadowOutcome.NeitherAnswered => "neither-answered",
        ShadowOutcome.Shed => "shed",
        ShadowOutcome.Unreached => "unreached",
        ShadowOutcome.Dropped => "dropped",
        _ => "not-copied",
    };
}
