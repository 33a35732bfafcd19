using System.Globalization;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Monitoring.PredictionLog;

/// <summary>Sees to it that the log has a partition for a time, whoever else needs it at once.</summary>
internal sealed class Months(NpgsqlDataSource source)
{
    // "MONTH" as a number.
    private const long AdvisoryLockKey = 0x4D4F4E5448;

    public async Task EnsureAsync(IEnumerable<DateTimeOffset> times, CancellationToken ct)
    {
        foreach (var start in times.Select(t => new DateOnly(t.Year, t.Month, 1)).Distinct().Order())
        {
            if (!await source.InTransactionAsync(t => ExistsAsync(t, start, ct), ct)) await MakeAsync(start, ct);
        }
    }

    // Made aside and attached, for that leaves readers and writers of other months alone.
    private Task MakeAsync(DateOnly start, CancellationToken ct) => source.InTransactionAsync(
        async transaction =>
        {
            await transaction.ExecuteAsync("select pg_advisory_xact_lock($1)", [AdvisoryLockKey], ct);
            if (await ExistsAsync(transaction, start, ct)) return;
            // Numbers only: a partition's bounds cannot be parameters.
            var (name, from, to) = (NameOf(start), Bound(start), Bound(start.AddMonths(1)));
            await transaction.ExecuteAsync($"create table {name} (like prediction including constraints)", [], ct);
            await transaction.ExecuteAsync(
                $"alter table prediction attach partition {name} for values from ('{from}') to ('{to}')", [], ct);
        },
        ct);

    private static Task<bool> ExistsAsync(NpgsqlTransaction transaction, DateOnly start, CancellationToken ct) =>
        transaction.QueryFirstOrDefaultAsync(
            "select to_regclass($1) is not null", [NameOf(start)], r => r.GetBoolean(0), ct);

    private static string NameOf(DateOnly start) => start.ToString("'prediction_'yyyy'_'MM", CultureInfo.InvariantCulture);

    private static string Bound(DateOnly start) => start.ToString("yyyy-MM-dd' 00:00:00+00'", CultureInfo.InvariantCulture);
}
