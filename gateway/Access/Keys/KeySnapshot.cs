namespace MlOps.Gateway.Access.Keys;

/// <summary>All keys as they stood at one revision, found by what is public of them without allocating.</summary>
internal sealed class KeySnapshot
{
    private readonly Dictionary<string, KnownKey> _keys;
    private readonly Dictionary<string, KnownKey>.AlternateLookup<ReadOnlySpan<char>> _byId;

    public KeySnapshot(long revision, IEnumerable<KnownKey> keys)
    {
        Revision = revision;
        _keys = keys.ToDictionary(k => k.Key.Id, StringComparer.Ordinal);
        _byId = _keys.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    public long Revision { get; }

    /// <summary>Whether a key opens the door now.</summary>
    public bool AnyActive(DateTimeOffset now) => _keys.Values.Any(k => k.Key.StateAt(now) == "active");

    public KnownKey? Find(ReadOnlySpan<char> id) => _byId.TryGetValue(id, out var key) ? key : null;
}

/// <summary>A key made ready for requests.</summary>
internal sealed class KnownKey(StoredKey stored, LastUsed.Stamp lastUsed)
{
    public ApiKey Key => stored.Key;

    public Caller Caller { get; } = new(
        $"key:{stored.Key.Id}", stored.Key.Grants, stored.Key.Name, stored.Key.RequestsPerSecond, stored.Key.Burst);

    public bool Opens(ReadOnlySpan<char> secret, DateTimeOffset now) =>
        stored.Secret.Matches(secret)
        || (stored.Previous is { } previous && now < stored.Key.PreviousUntil && previous.Matches(secret));

    public void NoteUse(DateTimeOffset now) => lastUsed.Note(now);
}
