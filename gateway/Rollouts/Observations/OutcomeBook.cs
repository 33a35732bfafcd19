using System.Collections.Concurrent;
using MlOps.Gateway.Splits;

namespace MlOps.Gateway.Rollouts.Observations;

/// <summary>
/// The outcomes this replica counts: one entry for each revision of a rollout's policy that it has had in force, until a while
/// after it no longer is.
/// </summary>
internal sealed class OutcomeBook(TimeProvider time)
{
    // Longer than a request that was assigned before takes to end.
    private static readonly TimeSpan Afterwards = TimeSpan.FromMinutes(2);
    private readonly ConcurrentDictionary<long, (ObservedPolicy Observed, DateTimeOffset LastInForce)> _entries = [];

    /// <summary>This run of this replica.</summary>
    public Guid Replica { get; } = Guid.NewGuid();

    public IEnumerable<ObservedPolicy> All => _entries.Values.Select(e => e.Observed);

    /// <summary>Null: the policy belongs to no rollout. The same revision has the same outcomes, however often it is loaded.</summary>
    public ObservedPolicy? Of(TrafficPolicy policy) => policy.Rollout is null
        ? null
        : _entries.AddOrUpdate(
            policy.Revision, _ => (new ObservedPolicy(policy), time.GetUtcNow()), (_, known) => (known.Observed, time.GetUtcNow())).Observed;

    /// <summary>Forgets what is long out of force.</summary>
    public void Sweep(PolicySnapshot inForce)
    {
        var now = time.GetUtcNow();
        foreach (var (revision, (observed, last)) in _entries)
        {
            if (inForce.Find(observed.Policy.Model)?.Policy.Revision == revision) _entries[revision] = (observed, now);
            else if (now - last > Afterwards) _entries.TryRemove(revision, out _);
        }
    }
}
