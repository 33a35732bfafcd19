using Microsoft.Extensions.Options;
using MlOps.Gateway.Revisions;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Gateway.Access.Keys;

/// <summary>This replica's keys: an immutable snapshot that requests read without a lock, replaced as a whole.</summary>
internal sealed class KeyBook(NpgsqlDataSource source, LastUsed lastUsed, IOptions<AccessOptions> options, GatewayMetrics metrics)
    : RevisedCopy
{
    private volatile KeySnapshot _current = new(0, []);

    public KeySnapshot Current => _current;

    public override long Revision => _current.Revision;

    /// <summary>Makes the configured key known before there is any other.</summary>
    public void AddConfigured() => _current = new KeySnapshot(_current.Revision, Configured());

    protected override async Task LoadAsync(long revision, CancellationToken ct)
    {
        var keys = await ApiKeyChanges.AllAsync(source, ct);
        _current = new KeySnapshot(revision, keys.Select(k => new KnownKey(k, lastUsed.Of(k.Key.Id))).Concat(Configured()));
        metrics.KeyReloads.Add(1);
    }

    protected override Task<long> LatestAsync(CancellationToken ct) => source.QueryFirstOrDefaultAsync(
        "select coalesce(max(revision), 0) from api_key", [], r => r.GetInt64(0), ct);

    private IEnumerable<KnownKey> Configured()
    {
        if (!KeyText.TryRead(options.Value.AdminKey, out var id, out var secret)) return [];
        var key = new ApiKey(
            id.ToString(), "the configured admin key", [new Grant(Role.Admin, Grant.Everything)], null, null,
            DateTimeOffset.UnixEpoch, "configuration", DateTimeOffset.MaxValue, null, null, null, null, 0);
        return [new KnownKey(new StoredKey(key, SecretHash.Of(secret.ToString()), null), new LastUsed.Stamp())];
    }
}
