using OpenTelemetry.Trace;

namespace MlOps.ServiceDefaults.Telemetry;

/// <summary>
/// Keeps every trace at a person's pace of traffic and at most so many new ones a second under load, where recording
/// all of them would cost more than answering (a token bucket that holds one second's worth). A trace that is
/// recorded elsewhere already is recorded here as well: use it as the root of a <see cref="ParentBasedSampler"/>.
/// </summary>
internal sealed class RateLimitedSampler(double tracesPerSecond, TimeProvider time) : Sampler
{
    private readonly double _ticksPerTrace = time.TimestampFrequency / tracesPerSecond;
    // The time up to which tokens are spent; it lags behind now by what is left in the bucket.
    private long _spentUntil = long.MinValue;

    public override SamplingResult ShouldSample(in SamplingParameters samplingParameters) =>
        new(TryTake() ? SamplingDecision.RecordAndSample : SamplingDecision.Drop);

    private bool TryTake()
    {
        var now = time.GetTimestamp();
        while (true)
        {
            var spent = Volatile.Read(ref _spentUntil);
            var next = Math.Max(spent, now - time.TimestampFrequency) + (long)_ticksPerTrace;
            if (next > now) return false;
            if (Interlocked.CompareExchange(ref _spentUntil, next, spent) == spent) return true;
        }
    }
}
