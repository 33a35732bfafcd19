using MlOps.Contracts.Features.V1;
using MlOps.FeatureStore.Definitions;
using MlOps.FeatureStore.Tables;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.FeatureStore.Ingestion;

/// <summary>Keeps refused rows, each once however often the same source is ingested.</summary>
internal sealed class Quarantine(NpgsqlDataSource database, DefinitionCatalog catalog)
{
    private const int DefaultLimit = 100;
    private const int HighestLimit = 1_000;

    public static Task<int> AddAsync(
        NpgsqlTransaction tx, string view, string source, IReadOnlyList<RowFault> faults, DateTime now, CancellationToken ct) =>
        tx.ExecuteAsync(
            """
            insert into quarantine (feature_view, source, line, reason, content, content_digest, quarantined_at)
            select $1, $2, line, reason, content, digest, $3
            from unnest($4::bigint[], $5::text[], $6::text[], $7::bytea[]) as fault(line, reason, content, digest)
            on conflict do nothing
            """,
            [
                view, source, now, faults.Select(fault => fault.Line).ToArray(), faults.Select(fault => fault.Reason).ToArray(),
                faults.Select(fault => fault.Content).ToArray(), faults.Select(fault => fault.Digest).ToArray(),
            ],
            ct);

    /// <summary>Newest first.</summary>
    /// <exception cref="InvalidRequestException">LIMIT_INVALID.</exception>
    /// <exception cref="NotFoundException">FEATURE_VIEW_UNKNOWN.</exception>
    public async Task<ListQuarantineResponse> ListAsync(ListQuarantineRequest request, CancellationToken ct)
    {
        if (request.Limit is < 0 or > HighestLimit)
            throw new InvalidRequestException("LIMIT_INVALID", $"limit must be 1 to {HighestLimit}, or 0 for {DefaultLimit}.");
        await catalog.ViewAsync(request.FeatureView, ct);
        var rows = await database.QueryAsync(
            """
            select source, line, reason, content, quarantined_at from quarantine
            where feature_view = $1 order by id desc limit $2
            """,
            [request.FeatureView, request.Limit == 0 ? DefaultLimit : request.Limit],
            row => new QuarantinedRow
            {
                FeatureView = request.FeatureView,
                Source = row.GetString(0),
                Line = row.GetInt64(1),
                Reason = row.GetString(2),
                Content = row.GetString(3),
                QuarantinedAtMicros = Micros.From(row.GetDateTime(4)),
            },
            ct);
        return new() { Rows = { rows } };
    }
}
