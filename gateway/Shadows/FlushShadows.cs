using MlOps.Gateway.Rollouts.Observations;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Gateway.Shadows;

/// <summary>Writes this replica's counts of copies to the database. They are cumulative, so one that comes twice changes nothing.</summary>
internal sealed class FlushShadows(NpgsqlDataSource source, ShadowBook shadows, OutcomeBook replica, TimeProvider time)
{
    /// <summary>Counts of policies that are long out of force, and of replicas that are long gone.</summary>
    private static readonly TimeSpan Kept = TimeSpan.FromDays(30);

    private readonly Dictionary<(string Model, long Revision, string Version), long> _written = [];

    public async Task RunAsync(CancellationToken ct)
    {
        var all = shadows.All.Select(s => (Key: (s.Model, s.Revision, s.Version), Counts: s.Read())).ToArray();
        foreach (var gone in _written.Keys.Except(all.Select(s => s.Key)).ToArray()) _written.Remove(gone);
        foreach (var (key, counts) in all.Where(s => s.Counts.Sum() != _written.GetValueOrDefault(s.Key)))
        {
            await source.ExecuteAsync(
                """
                insert into shadow_outcome (model, revision, replica, version, counts, flushed_at) values ($1, $2, $3, $4, $5, $6)
                on conflict (model, revision, replica, version) do update set counts = excluded.counts, flushed_at = excluded.flushed_at
                """,
                [key.Model, key.Revision, replica.Replica, key.Version, counts, time.GetUtcNow()], ct);
            if (_written.TryAdd(key, 0)) await SweepAsync(ct);
            _written[key] = counts.Sum();
        }
    }

    private async Task SweepAsync(CancellationToken ct)
    {
        await source.ExecuteAsync("delete from shadow_outcome where flushed_at < $1", [time.GetUtcNow() - Kept], ct);
    }
}
