using System.Diagnostics.Metrics;
using Microsoft.Extensions.Options;
using MlOps.Inference.Predictions;

namespace MlOps.Inference.Admission;

/// <summary>
/// Lets requests in as far as the replica keeps up, and says no to the rest at once. A request is computed on the thread that
/// took it up, so the line forms before that, in the thread pool: a probe of a line's end, every few milliseconds and only
/// while there are requests, tells how long it is. With no line a request costs two counts here.
/// </summary>
internal sealed class RequestGate
{
    private static readonly TimeSpan ProbePause = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan Window = TimeSpan.FromMilliseconds(100);
    private readonly ConcurrencyLimit _limit;
    private readonly TimeProvider _time;
    private readonly long _pauseTicks;
    private readonly long _windowTicks;
    private readonly long _pressedTicks;
    private readonly Func<long> _inLine;
    private readonly Action<Action> _queue;
    private readonly Action _probe;
    private readonly Counter<long> _shed;
    private readonly Lock _window = new();
    private int _underWay;
    private int _isProbing;
    private long _probedAt;
    private long _windowFrom;
    private long _least = long.MaxValue;
    private long _most;
    private volatile bool _isPressed;

    public RequestGate(IOptions<AdmissionOptions> options, InferenceTelemetry telemetry, TimeProvider time)
        : this(
            options.Value, telemetry, time, () => ThreadPool.PendingWorkItemCount,
            probe => ThreadPool.UnsafeQueueUserWorkItem(static p => p(), probe, preferLocal: false))
    {
    }

    /// <param name="options">The rules.</param>
    /// <param name="telemetry">Where refusals are counted.</param>
    /// <param name="time">The clock.</param>
    /// <param name="inLine">Requests that nobody has taken up yet, or a number not below it.</param>
    /// <param name="queue">Puts the probe at the end of the line.</param>
    internal RequestGate(
        AdmissionOptions options, InferenceTelemetry telemetry, TimeProvider time, Func<long> inLine, Action<Action> queue)
    {
        (_time, _inLine, _queue) = (time, inLine, queue);
        _pauseTicks = TicksOf(ProbePause);
        _windowTicks = TicksOf(Window);
        // The line is only counted when there is one.
        _pressedTicks = TicksOf(options.TargetDelay / 2);
        _limit = new ConcurrencyLimit(options);
        _probe = EndProbe;
        _probedAt = _windowFrom = time.GetTimestamp();
        _shed = telemetry.Meter.CreateCounter<long>("mlops.inference.shed", "{request}", "Requests refused because of overload, by tier");
        telemetry.Meter.CreateObservableGauge("mlops.inference.concurrency.limit", () => _limit.Current, "{request}", "Requests let in at once");
        telemetry.Meter.CreateObservableGauge(
            "mlops.inference.concurrency", () => Volatile.Read(ref _underWay), "{request}", "Requests under way");
    }

    /// <summary>The limit of the tier stable, now.</summary>
    public int Limit => _limit.Current;

    /// <summary>True: go on, and <see cref="Leave"/> at the end. False: refuse, at once.</summary>
    public bool TryEnter(CallTier tier)
    {
        var underWay = Interlocked.Increment(ref _underWay);
        var sinceProbe = _time.GetTimestamp() - Volatile.Read(ref _probedAt);
        var isProbing = Volatile.Read(ref _isProbing) == 1;
        // A probe that is not back tells of a line, too.
        var count = _isPressed || (isProbing && sinceProbe > _pressedTicks) ? underWay + _inLine() : underWay;
        if (!isProbing && sinceProbe > _pauseTicks) BeginProbe();
        if (count > Volatile.Read(ref _most)) Volatile.Write(ref _most, count);
        if (count <= _limit.Of(tier)) return true;
        Interlocked.Decrement(ref _underWay);
        _shed.Add(1, new KeyValuePair<string, object?>("tier", NameOf(tier)));
        return false;
    }

    public void Leave() => Interlocked.Decrement(ref _underWay);

    private void BeginProbe()
    {
        if (Interlocked.Exchange(ref _isProbing, 1) == 1) return;
        Volatile.Write(ref _probedAt, _time.GetTimestamp());
        _queue(_probe);
    }

    private void EndProbe()
    {
        var now = _time.GetTimestamp();
        var delay = now - Volatile.Read(ref _probedAt);
        _isPressed = delay > _pressedTicks;
        lock (_window)
        {
            _least = Math.Min(_least, delay);
            if (now - _windowFrom >= _windowTicks)
            {
                _limit.Adapt(_time.GetElapsedTime(0, _least), Interlocked.Exchange(ref _most, 0));
                _least = long.MaxValue;
                _windowFrom = now;
            }
        }

        Volatile.Write(ref _probedAt, now);
        Volatile.Write(ref _isProbing, 0);
    }

    private long TicksOf(TimeSpan time) => (long)(time.TotalSeconds * _time.TimestampFrequency);

    private static string NameOf(CallTier tier) => tier switch
    {
        CallTier.Shadow => "shadow",
        CallTier.Canary => "canary",
        _ => "stable",
    };
}
