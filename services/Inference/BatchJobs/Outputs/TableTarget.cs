using System.Text;
using Microsoft.ML.OnnxRuntime.Tensors;
using MlOps.Contracts.Inference.V1;
using MlOps.Inference.Models;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Inference.BatchJobs.Outputs;

/// <summary>
/// A table as a job's output. Parts are copied to a staging table, each in one transaction that first takes out what an
/// earlier attempt left; publishing puts all rows in place in one more.
/// </summary>
internal sealed class TableTarget(BatchConnections connections)
{
    // Kept as the table's comment, so that publishing again finds it done, and no table is replaced that is none of ours.
    private const string Mark = "MlOps.Aspire batch job ";
    private static readonly NpgsqlCommandBuilder Quoting = new();

    /// <exception cref="InvalidRequestException">TABLE_REFUSED: PostgreSQL's own words.</exception>
    public Task PutPartAsync(TakenPartition partition, LoadedModel model, ReadOnlyMemory<byte> csv, CancellationToken ct) =>
        RefusedAsync(async () =>
        {
            var target = partition.Spec.Table;
            var columns = ColumnsOf(partition.Spec, model);
            var staging = StagingOf(target, partition.Job);
            var source = connections.Open(target.Connection);
            await source.InTransactionAsync(
                async transaction =>
                {
                    await LockAsync(transaction, staging, ct);
                    await transaction.ExecuteAsync(Definition(staging, partition.Job, columns), [], ct);
                },
                ct);
            await source.InTransactionAsync(
                async transaction =>
                {
                    await transaction.ExecuteAsync(
                        $"delete from {staging} where row between $1 and $2",
                        [partition.Place.FirstRow, partition.Place.FirstRow + partition.Place.Rows - 1], ct);
                    await CopyAsync(transaction, staging, columns, csv, ct);
                },
                ct);
        });

    /// <summary>Puts the staged rows in place; done before, it changes nothing.</summary>
    /// <exception cref="InvalidRequestException">TABLE_REFUSED: PostgreSQL's own words, or a table there that is not a batch job's.</exception>
    public Task PublishAsync(BatchJobSpec spec, Guid job, LoadedModel model, CancellationToken ct) =>
        RefusedAsync(() => connections.Open(spec.Table.Connection).InTransactionAsync(
            async transaction =>
            {
                var (target, staging) = (QuotedName(spec.Table.Table), StagingOf(spec.Table, job));
                await LockAsync(transaction, target, ct);
                var mark = await MarkOfAsync(transaction, target, ct);
                // A job whose rows were all bad has put no part.
                await transaction.ExecuteAsync(Definition(staging, job, ColumnsOf(spec, model)), [], ct);
                if (mark is { } there && !there.StartsWith(Mark, StringComparison.Ordinal))
                {
                    throw new InvalidRequestException("TABLE_REFUSED", $"{target} is there already and was not made by a batch job.");
                }

                if (mark?.Contains(job.ToString("N"), StringComparison.Ordinal) == true)
                {
                    await transaction.ExecuteAsync($"drop table {staging}", [], ct);
                    return;
                }

                await PutAsync(transaction, spec, staging, target, mark is not null, ColumnsOf(spec, model), ct);
                await transaction.ExecuteAsync($"comment on table {target} is '{Mark}{job:N}'", [], ct);
            },
            ct));

    /// <summary>Forgets what was staged for a job that has ended otherwise.</summary>
    public Task DropAsync(TableOutput target, Guid job, CancellationToken ct) => connections.IsWritable(target.Connection)
        ? connections.Open(target.Connection).ExecuteAsync($"drop table if exists {StagingOf(target, job)}", [], ct)
        : Task.CompletedTask;

    private static async Task PutAsync(
        NpgsqlTransaction transaction, BatchJobSpec spec, string staging, string target, bool isThere,
        IReadOnlyList<(string Name, string Type)> columns, CancellationToken ct)
    {
        if (isThere && spec.Table.Mode == TableOutput.Types.Mode.Append)
        {
            var names = string.Join(", ", columns.Select(c => Quoting.QuoteIdentifier(c.Name)).Prepend("job_id"));
            await transaction.ExecuteAsync(
                $"insert into {target} ({names}) select {names} from {staging} order by row on conflict do nothing", [], ct);
            await transaction.ExecuteAsync($"drop table {staging}", [], ct);
            return;
        }

        if (isThere) await transaction.ExecuteAsync($"drop table {target}", [], ct);
        await transaction.ExecuteAsync($"alter table {staging} alter column job_id drop default", [], ct);
        await transaction.ExecuteAsync($"alter table {staging} rename to {Quoting.QuoteIdentifier(spec.Table.Table.Split('.')[^1])}", [], ct);
    }

    private static async Task CopyAsync(
        NpgsqlTransaction transaction, string staging, IReadOnlyList<(string Name, string Type)> columns, ReadOnlyMemory<byte> csv,
        CancellationToken ct)
    {
        var names = string.Join(", ", columns.Select(c => Quoting.QuoteIdentifier(c.Name)));
        // A transaction that has begun has its connection.
        await using var copy = await transaction.Connection!.BeginTextImportAsync($"copy {staging} ({names}) from stdin (format csv)", ct);
        var chars = new char[64 << 10];
        var decoder = Encoding.UTF8.GetDecoder();
        while (!csv.IsEmpty)
        {
            decoder.Convert(csv.Span, chars, flush: false, out var used, out var written, out _);
            csv = csv[used..];
            await copy.WriteAsync(chars.AsMemory(0, written), ct);
        }
    }

    // Null: no such table; empty: it has no comment.
    private static Task<string?> MarkOfAsync(NpgsqlTransaction transaction, string table, CancellationToken ct) =>
        transaction.QueryFirstOrDefaultAsync(
            "select coalesce(obj_description(to_regclass($1), 'pg_class'), '') where to_regclass($1) is not null",
            [table], r => r.GetString(0), ct);

    private static Task<int> LockAsync(NpgsqlTransaction transaction, string name, CancellationToken ct) =>
        transaction.ExecuteAsync("select pg_advisory_xact_lock(hashtextextended($1, 0))", [name], ct);

    private static string Definition(string staging, Guid job, IReadOnlyList<(string Name, string Type)> columns) =>
        $"""
        create table if not exists {staging} (
            job_id uuid not null default '{job}',
            {string.Join(", ", columns.Select(c => $"{Quoting.QuoteIdentifier(c.Name)} {c.Type}"))},
            primary key (job_id, row))
        """;

    private static List<(string Name, string Type)> ColumnsOf(BatchJobSpec spec, LoadedModel model)
    {
        var columns = new List<(string, string)> { (OutputColumns.Row, "bigint not null") };
        columns.AddRange(spec.KeepColumns.Select(name => (name, "text")));
        columns.AddRange(model.Outputs.SelectMany(o => OutputColumns.NamesOf(o).Select(name => (name, TypeOf(o)))));
        if (RowRecords.RateOf(spec.Log) > 0) columns.Add((OutputColumns.PredictionId, "text"));
        return columns;
    }

    private static string TypeOf(TensorLayout output) => output.Datatype.Element switch
    {
        TensorElementType.Float => "real",
        TensorElementType.Double or TensorElementType.Float16 or TensorElementType.BFloat16 => "double precision",
        TensorElementType.String => "text",
        TensorElementType.Bool => "boolean",
        TensorElementType.UInt64 => "numeric(20)",
        _ => "bigint",
    };

    private static string StagingOf(TableOutput target, Guid job) =>
        QuotedName([.. target.Table.Split('.')[..^1], $"mlops_batch_{job:N}"]);

    private static string QuotedName(string table) => QuotedName(table.Split('.'));

    private static string QuotedName(string[] parts) => string.Join('.', parts.Select(Quoting.QuoteIdentifier));

    private static async Task RefusedAsync(Func<Task> work)
    {
        try
        {
            await work();
        }
        catch (PostgresException e) when (!e.IsTransient && e.SqlState != PostgresErrorCodes.UniqueViolation)
        {
            throw new InvalidRequestException("TABLE_REFUSED", $"{e.SqlState}: {e.MessageText}");
        }
    }
}
