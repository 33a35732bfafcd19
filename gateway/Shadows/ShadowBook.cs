using System.Collections.Concurrent;
using MlOps.Gateway.Splits;

namespace MlOps.Gateway.Shadows;

/// <summary>
/// The shadows this replica copies for: one entry for each revision of a policy that has some, until a while after it is out of
/// force. The same revision has the same counts, however often it is loaded.
/// </summary>
internal sealed class ShadowBook(GatewayMetrics metrics, TimeProvider time)
{
    // Longer than a copy waits and is answered.
    private static readonly TimeSpan Afterwards = TimeSpan.FromMinutes(5);
    private readonly ConcurrentDictionary<(string Model, long Revision), (SplitShadow[] Shadows, DateTimeOffset LastInForce)> _entries = [];

    public IEnumerable<SplitShadow> All => _entries.Values.SelectMany(e => e.Shadows);

    public SplitShadow[] Of(TrafficPolicy policy)
    {
        if (policy.Shadows.Count == 0) return [];
        // A file's policies have no revision of their own.
        return _entries.AddOrUpdate(
            (policy.Model, policy.Revision),
            _ => ([.. policy.Shadows.Select(s => new SplitShadow(policy, s, metrics))], time.GetUtcNow()),
            (_, known) => known.Shadows.Select(s => new PolicyShadow(s.Version, s.Rate)).SequenceEqual(policy.Shadows)
                ? (known.Shadows, time.GetUtcNow())
                : ([.. policy.Shadows.Select(s => new SplitShadow(policy, s, metrics))], time.GetUtcNow())).Shadows;
    }

    /// <summary>Forgets what is long out of force.</summary>
    public void Sweep(PolicySnapshot inForce)
    {
        var now = time.GetUtcNow();
        foreach (var (key, (shadows, last)) in _entries)
        {
            if (inForce.Find(key.Model)?.Policy.Revision == key.Revision) _entries[key] = (shadows, now);
            else if (now - last > Afterwards) _entries.TryRemove(key, out _);
        }
    }
}
