using System.Data;
using System.Runtime.CompilerServices;
using System.Text;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Inference.BatchJobs.Inputs;

/// <summary>
/// Rows of a query as CSV, written by the server itself (COPY) as fast as they are taken, in a transaction that may not
/// write and within the connection's time.
/// </summary>
internal sealed class QueryText(BatchConnections connections)
{
    private const int CharsAtOnce = 256 << 10;

    /// <exception cref="InvalidRequestException">QUERY_REFUSED: PostgreSQL's own words.</exception>
    public async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAsync(
        string connectionName, string sql, [EnumeratorCancellation] CancellationToken ct)
    {
        await using var connection = await connections.Open(connectionName).OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, ct);
        using var reader = await BeginAsync(transaction, sql, connections.Settings(connectionName).QueryTimeout, ct);
        var chars = new char[CharsAtOnce];
        var bytes = new byte[Encoding.UTF8.GetMaxByteCount(CharsAtOnce)];
        var encoder = Encoding.UTF8.GetEncoder();
        while (await ReadBlockAsync(reader, chars, ct) is var read and > 0)
        {
            encoder.Convert(chars.AsSpan(0, read), bytes, flush: false, out _, out var written, out _);
            yield return bytes.AsMemory(0, written);
        }
    }

    private static async Task<TextReader> BeginAsync(NpgsqlTransaction transaction, string sql, TimeSpan timeout, CancellationToken ct)
    {
        // A transaction that has begun has its connection.
        var connection = transaction.Connection!;
        var query = sql.TrimEnd().TrimEnd(';');
        try
        {
            await transaction.ExecuteAsync("set transaction read only", [], ct);
            await transaction.ExecuteAsync($"set local statement_timeout = {(long)timeout.TotalMilliseconds}", [], ct);
            await DescribeAsync(transaction, query, ct);
            // On a line of its own, so that a comment at its end is one.
            return await connection.BeginTextExportAsync($"copy (\n{query}\n) to stdout (format csv, header, encoding 'UTF8')", ct);
        }
        catch (PostgresException e) when (!e.IsTransient)
        {
            throw Refused(e);
        }
    }

    // What the server takes as one statement by itself cannot break out of the parentheses it is put into.
    private static async Task DescribeAsync(NpgsqlTransaction transaction, string query, CancellationToken ct)
    {
        await using var batch = new NpgsqlBatch(transaction.Connection, transaction) { BatchCommands = { new NpgsqlBatchCommand(query) } };
        await using var reader = await batch.ExecuteReaderAsync(CommandBehavior.SchemaOnly, ct);
        if (reader.FieldCount == 0) throw new InvalidRequestException("QUERY_REFUSED", "The statement answers no rows.");
    }

    private static async ValueTask<int> ReadBlockAsync(TextReader reader, char[] chars, CancellationToken ct)
    {
        try
        {
            return await reader.ReadAsync(chars.AsMemory(), ct);
        }
        catch (PostgresException e) when (!e.IsTransient)
        {
            throw Refused(e);
        }
    }

    private static InvalidRequestException Refused(PostgresException e) => new("QUERY_REFUSED", $"{e.SqlState}: {e.MessageText}");
}
