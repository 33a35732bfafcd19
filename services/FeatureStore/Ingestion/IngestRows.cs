using MlOps.Contracts.Features.V1;
using MlOps.FeatureStore.Definitions;
using MlOps.FeatureStore.Tables;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.FeatureStore.Ingestion;

/// <summary>
/// Stores the rows of a stream in one transaction: all of them with their refused ones, or, when the stream fails,
/// nothing. Rows already there are counted and not stored again, so that a stream may be sent again at any time.
/// Memory is bounded by one batch, whatever the length of the stream.
/// </summary>
internal sealed partial class IngestRows(NpgsqlDataSource database, TimeProvider clock, ILogger<IngestRows> logger)
{
    private const int BatchRows = 8_192;
    private const int BatchFaults = 1_000;
    private const int ReportedFaults = 20;
    private const int LongestSource = 500;

    /// <exception cref="InvalidRequestException">INGEST_STREAM, CSV_HEADER, TABLE_MALFORMED or TABLE_COLUMNS.</exception>
    /// <exception cref="NotFoundException">FEATURE_VIEW_UNKNOWN.</exception>
    public async Task<IngestResponse> ExecuteAsync(IAsyncEnumerable<IngestRequest> parts, CancellationToken ct)
    {
        await using var stream = parts.GetAsyncEnumerator(ct);
        if (!await stream.MoveNextAsync() || stream.Current.Header is not { } header)
            throw new InvalidRequestException("INGEST_STREAM", "The first message must be a header.");
        if (header.Source.Length > LongestSource || header.Source.Contains('\0', StringComparison.Ordinal))
            throw new InvalidRequestException("INGEST_STREAM", $"source must be a text of at most {LongestSource} characters.");

        var response = await database.InTransactionAsync(tx => IngestAsync(tx, header, stream, ct), ct);
        FeatureStoreTelemetry.Ingested(header.FeatureView, response);
        LogRowsIngested(logger, header.FeatureView, header.Source, response.RowsIngested, response.RowsDuplicate, response.RowsQuarantined);
        return response;
    }

    private async Task<IngestResponse> IngestAsync(
        NpgsqlTransaction tx, IngestRequest.Types.Header header, IAsyncEnumerator<IngestRequest> stream, CancellationToken ct)
    {
        var view = await DefinitionStore.LockViewAsync(tx, header.FeatureView, ct);
        await tx.ExecuteAsync($"create temporary table staged (like {view.Rows()} including defaults) on commit drop", [], ct);
        var staging = new Staging(tx, view, header.Source, clock.GetUtcNow().UtcDateTime);
        CsvRows? csv = null;
        TableRows? tables = null;
        while (await stream.MoveNextAsync())
        {
            switch (stream.Current.PartCase)
            {
                case IngestRequest.PartOneofCase.Csv when tables is null:
                    csv ??= new(view, staging.Batch);
                    csv.Append(stream.Current.Csv.Span);
                    await staging.AddAsync(csv, ct);
                    break;
                case IngestRequest.PartOneofCase.Table when csv is null:
                    tables ??= new(view, staging.Batch);
                    await staging.AddAsync(tables.Add(stream.Current.Table), ct);
                    break;
                default:
                    throw new InvalidRequestException(
                        "INGEST_STREAM", "After the header come either tables or CSV chunks, and nothing else.");
            }
        }

        if (csv is not null)
        {
            csv.Complete();
            await staging.AddAsync(csv, ct);
            csv.RequireHeader();
        }

        await staging.FlushAsync(ct);
        staging.Response.RowsIngested = view.IsAggregated
            ? await RecomputeWindows.StoreAsync(tx, view, ct)
            : await InsertAsync(tx, view, ct);
        staging.Response.RowsDuplicate = staging.Rows - staging.Response.RowsIngested;
        return staging.Response;
    }

    private static async Task<long> InsertAsync(NpgsqlTransaction tx, ViewDefinition view, CancellationToken ct)
    {
        // An open transaction has its connection.
        await using var command = LongSql.Command(tx.Connection!, InsertSql(view));
        return await command.ExecuteNonQueryAsync(ct);
    }

    // In the order of the unique index, so that streams with the same rows wait for each other instead of deadlocking.
    internal static string InsertSql(ViewDefinition view) => $"""
        insert into {view.Rows()} ({view.RowColumns()})
        select {view.RowColumns()} from staged order by {view.Keys()}, _event_time, _known_at, _digest
        on conflict do nothing
        """;

    [LoggerMessage(LogLevel.Information,
        "Rows ingested into {FeatureView} from '{Source}': {Ingested} stored, {Duplicate} already there, {Quarantined} quarantined")]
    private static partial void LogRowsIngested(
        ILogger logger, string featureView, string source, long ingested, long duplicate, long quarantined);

    /// <summary>Carries batches into the temporary table and faults into quarantine.</summary>
    private sealed class Staging(NpgsqlTransaction tx, ViewDefinition view, string source, DateTime now)
    {
        private readonly List<RowFault> _faults = [];

        public RowBatch Batch { get; } = new(view.JoinKeys.Count, view.Columns);

        public IngestResponse Response { get; } = new();

        public long Rows { get; private set; }

        public async Task AddAsync(CsvRows csv, CancellationToken ct)
        {
            while (csv.TryNext(out var fault))
                await NoteAsync(fault, ct);
        }

        public async Task AddAsync(IEnumerable<RowFault?> rows, CancellationToken ct)
        {
            foreach (var fault in rows)
                await NoteAsync(fault, ct);
        }

        public async Task FlushAsync(CancellationToken ct)
        {
            Rows += Batch.Count;
            // An open transaction has its connection.
            await Batch.CopyAsync(tx.Connection!, $"staged ({view.RowColumns()})", ct);
            if (_faults.Count > 0)
                await Quarantine.AddAsync(tx, view.Name, source, _faults, now, ct);
            _faults.Clear();
        }

        private ValueTask NoteAsync(RowFault? fault, CancellationToken ct)
        {
            if (fault is not null)
            {
                _faults.Add(fault);
                if (Response.RowsQuarantined++ < ReportedFaults)
                    Response.Quarantined.Add(Report(fault));
            }

            return Batch.Count >= BatchRows || _faults.Count >= BatchFaults ? new(FlushAsync(ct)) : default;
        }

        private QuarantinedRow Report(RowFault fault) => new()
        {
            FeatureView = view.Name,
            Source = source,
            Line = fault.Line,
            Reason = fault.Reason,
            Content = fault.Content,
            QuarantinedAtMicros = Micros.From(now),
        };
    }
}
