using System.Collections.Concurrent;

namespace MlOps.Gateway.Splits;

/// <summary>
/// Predictions assigned per arm since this replica started. There are as many counts as arms were ever configured since,
/// so requests cannot make them grow.
/// </summary>
internal sealed class AssignmentCounts
{
    private readonly ConcurrentDictionary<(string Model, string Arm, string Version), Count> _counts = [];

    public Count Of(string model, string arm, string version) => _counts.GetOrAdd((model, arm, version), static _ => new Count());

    /// <summary>The arms of the policy in force first, then those that only earlier policies had.</summary>
    public IReadOnlyList<(string Arm, string Version, long Requests)> For(string model, TrafficPolicy? policy)
    {
        var place = policy?.Arms.Select((a, i) => (Key: (a.Name, a.Version), i)).ToDictionary(a => a.Key, a => a.i) ?? [];
        return
        [
            .. _counts.Where(c => c.Key.Model == model)
                .OrderBy(c => place.GetValueOrDefault((c.Key.Arm, c.Key.Version), int.MaxValue))
                .ThenBy(c => c.Key.Arm, StringComparer.Ordinal).ThenBy(c => c.Key.Version, StringComparer.Ordinal)
                .Select(c => (c.Key.Arm, c.Key.Version, c.Value.Value)),
        ];
    }

    internal sealed class Count
    {
        private long _value;

        public long Value => Volatile.Read(ref _value);

        public void Add() => Interlocked.Increment(ref _value);
    }
}
