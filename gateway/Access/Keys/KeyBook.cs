using Microsoft.Extensions.Options;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Gateway.Access.Keys;

/// <summary>This replica's keys: an immutable snapshot that requests read without a lock, replaced as a whole.</summary>
internal sealed class KeyBook(NpgsqlDataSource source, LastUsed lastUsed, IOptions<AccessOptions> options, GatewayMetrics metrics)
    : IDisposable
{
    private readonly SemaphoreSlim _turn = new(1);
    private volatile KeySnapshot _current = new(0, []);

    public KeySnapshot Current => _current;

    /// <summary>Loads the keys unless those of this revision, or later ones, are here already.</summary>
    public async Task CatchUpAsync(long revision, CancellationToken ct)
    {
        if (_current.Revision >= revision) return;
        await _turn.WaitAsync(ct);
        try
        {
            if (_current.Revision < revision) await LoadAsync(ct);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Asks the database for its latest revision and catches up with it.</summary>
    public async Task CheckAsync(CancellationToken ct) => await CatchUpAsync(await LatestAsync(ct), ct);

    /// <summary>Makes the configured key known before there is any other.</summary>
    public void AddConfigured() => _current = new KeySnapshot(_current.Revision, Configured());

    public void Dispose() => _turn.Dispose();

    private async Task LoadAsync(CancellationToken ct)
    {
        // The revision is read first: the keys are of that revision or a later one, never older than they claim.
        var revision = await LatestAsync(ct);
        var keys = await ApiKeyChanges.AllAsync(source, ct);
        _current = new KeySnapshot(revision, keys.Select(k => new KnownKey(k, lastUsed.Of(k.Key.Id))).Concat(Configured()));
        metrics.KeyReloads.Add(1);
    }

    private IEnumerable<KnownKey> Configured()
    {
        if (!KeyText.TryRead(options.Value.AdminKey, out var id, out var secret)) return [];
        var key = new ApiKey(
            id.ToString(), "the configured admin key", [new Grant(Role.Admin, Grant.Everything)], null, null,
            DateTimeOffset.UnixEpoch, "configuration", DateTimeOffset.MaxValue, null, null, null, null, 0);
        return [new KnownKey(new StoredKey(key, SecretHash.Of(secret.ToString()), null), new LastUsed.Stamp())];
    }

    private Task<long> LatestAsync(CancellationToken ct) => source.QueryFirstOrDefaultAsync(
        "select coalesce(max(revision), 0) from api_key", [], r => r.GetInt64(0), ct);
}
