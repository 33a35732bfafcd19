namespace MlOps.Gateway.Splits;

/// <summary>All policies as they stood at one revision, found by model name without allocating.</summary>
internal sealed class PolicySnapshot
{
    // Never changed once built. Frozen it would be no quicker to search, and slow to build again with every change.
    private readonly Dictionary<string, Split> _splits;
    private readonly Dictionary<string, Split>.AlternateLookup<ReadOnlySpan<char>> _byName;

    public PolicySnapshot(long revision, IEnumerable<Split> splits)
    {
        Revision = revision;
        _splits = splits.ToDictionary(s => s.Policy.Model, StringComparer.Ordinal);
        _byName = _splits.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    public static PolicySnapshot Empty { get; } = new(0, []);

    public long Revision { get; }

    public bool IsEmpty => _splits.Count == 0;

    public IEnumerable<TrafficPolicy> Policies =>
        _splits.Values.Select(s => s.Policy).OrderBy(p => p.Model, StringComparer.Ordinal);

    public Split? Find(ReadOnlySpan<char> model) => _byName.TryGetValue(model, out var split) ? split : null;
}
