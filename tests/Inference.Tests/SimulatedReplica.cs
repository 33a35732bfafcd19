using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using MlOps.Inference.Admission;
using MlOps.Inference.Predictions;
using MlOps.TestServers;

namespace MlOps.Inference.Tests;

/// <summary>
/// A replica of two threads before one line, on a clock of its own: what arrives stands in line, then the gate is asked, and
/// a request that is let in takes its time while a refusal takes a tenth of it.
/// </summary>
internal sealed class SimulatedReplica : IDisposable
{
    private const int Threads = 2;
    private static readonly TimeSpan Step = TimeSpan.FromMicroseconds(100);
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly InferenceTelemetry _telemetry;
    private readonly ManualTimeProvider _time = new();
    private readonly Queue<(CallTier Tier, long At, Action? Probe)> _line = [];
    private readonly (long Until, bool IsLetIn)[] _threads = new (long, bool)[Threads];
    private readonly TimeSpan _service;

    public SimulatedReplica(AdmissionOptions options, TimeSpan service)
    {
        _service = service;
        _telemetry = new InferenceTelemetry(_services.GetRequiredService<IMeterFactory>(), _time);
        Gate = new RequestGate(options, _telemetry, _time, () => _line.Count, probe => _line.Enqueue((default, _time.GetTimestamp(), probe)));
    }

    public RequestGate Gate { get; }

    public Dictionary<CallTier, int> Answered { get; } = [];

    public Dictionary<CallTier, int> Refused { get; } = [];

    /// <summary>Time in line of what was let in, of late.</summary>
    public List<TimeSpan> Delays { get; } = [];

    /// <summary>So many requests a second of each tier, evenly.</summary>
    public void Run(TimeSpan duration, params (CallTier Tier, double PerSecond)[] load)
    {
        var due = new double[load.Length];
        for (var end = _time.GetTimestamp() + duration.Ticks; _time.GetTimestamp() < end; _time.Advance(Step))
        {
            for (var i = 0; i < load.Length; i++)
            {
                for (due[i] += load[i].PerSecond * Step.TotalSeconds; due[i] >= 1; due[i]--) Arrive(load[i].Tier);
            }

            Work();
        }
    }

    public void Arrive(CallTier tier) => _line.Enqueue((tier, _time.GetTimestamp(), null));

    public void Forget()
    {
        Answered.Clear();
        Refused.Clear();
        Delays.Clear();
    }

    private void Work()
    {
        var now = _time.GetTimestamp();
        for (var i = 0; i < Threads; i++)
        {
            if (_threads[i].Until > now) continue;
            if (_threads[i].IsLetIn) Gate.Leave();
            _threads[i].IsLetIn = false;
            while (_threads[i].Until <= now && _line.TryDequeue(out var next))
            {
                if (next.Probe is not null) next.Probe();
                else TakeUp(ref _threads[i], next.Tier, next.At, now);
            }
        }
    }

    private void TakeUp(ref (long Until, bool IsLetIn) thread, CallTier tier, long at, long now)
    {
        thread.IsLetIn = Gate.TryEnter(tier);
        thread.Until = now + (thread.IsLetIn ? _service : _service / 10).Ticks;
        var counts = thread.IsLetIn ? Answered : Refused;
        counts[tier] = counts.GetValueOrDefault(tier) + 1;
        if (thread.IsLetIn) Delays.Add(TimeSpan.FromTicks(now - at));
    }

    public void Dispose()
    {
        _telemetry.Dispose();
        _services.Dispose();
    }
}
