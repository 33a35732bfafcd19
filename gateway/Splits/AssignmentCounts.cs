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
    public IReadOnlyList<ArmCount> For(string model, TrafficPolicy? policy)
    {
        var place = policy?.Arms.Select((a, i) => (Key: (a.Name, a.Version), i)).ToDictionary(a => a.Key, a => a.i) ?? [];
        return
        [
            .. _counts.Where(c => c.Key.Model == model)
                .OrderBy(c => place.GetValueOrDefault((c.Key.Arm, c.Key.Version), int.MaxValue))
                .ThenBy(c => c.Key.Arm, StringComparer.Ordinal).ThenBy(c => c.Key.Version, StringComparer.Ordinal)
                .Select(c => c.Value.Read(c.Key.Arm, c.Key.Version)),
        ];
    }

    internal sealed class Count
    {
        private long _assigned;
        private long _outside;
        private long _heldOut;
        private long _forced;

        public void Add(AssignmentReason reason)
        {
            ref var count = ref _assigned;
            if (reason == AssignmentReason.Outside) count = ref _outside;
            else if (reason == AssignmentReason.HeldOut) count = ref _heldOut;
            else if (reason == AssignmentReason.Forced) count = ref _forced;
            Interlocked.Increment(ref count);
        }

        public ArmCount Read(string arm, string version)
        {
            var (outside, heldOut) = (Volatile.Read(ref _outside), Volatile.Read(ref _heldOut));
            return new ArmCount(
                arm, version, Volatile.Read(ref _assigned) + outside + heldOut, outside, heldOut, Volatile.Read(ref _forced));
        }
    }
}

/// <summary>
/// What an arm answered. Of the requests, those outside and those held out take no part in the experiment; the forced ones
/// are not among them.
/// </summary>
internal sealed record ArmCount(string Arm, string Version, long Requests, long Outside, long HeldOut, long Forced);
