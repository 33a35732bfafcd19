using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using MlOps.Contracts.Tables.V1;
using MlOps.FeatureStore.Definitions;
using MlOps.FeatureStore.Tables;
using Npgsql;
using NpgsqlTypes;

namespace MlOps.FeatureStore.Ingestion;

/// <summary>Rows on their way into a table by binary copy: keys, event time, known-at time, values.</summary>
internal sealed class RowBatch(int keys, IReadOnlyList<Field> fields)
{
    private const int DigestLength = 16;

    public ColumnBuffer[] Keys { get; } = [.. Enumerable.Range(0, keys).Select(_ => new ColumnBuffer(ColumnType.Text))];

    public ColumnBuffer EventTimes { get; } = new(ColumnType.Time);

    public ColumnBuffer KnownAt { get; } = new(ColumnType.Time);

    public ColumnBuffer[] Values { get; } = [.. fields.Select(field => new ColumnBuffer(field.Type))];

    public int Count => EventTimes.Count;

    public void Truncate(int count)
    {
        foreach (var column in Keys)
            column.Truncate(count);
        EventTimes.Truncate(count);
        KnownAt.Truncate(count);
        foreach (var column in Values)
            column.Truncate(count);
    }

    /// <summary>Copies the rows and forgets them.</summary>
    /// <param name="connection">The connection to copy over.</param>
    /// <param name="table">Table and its columns, e.g. from <see cref="ViewTables.RowColumns"/>.</param>
    /// <param name="ct">Cancels the copy; nothing of it is kept then.</param>
    public async Task CopyAsync(NpgsqlConnection connection, string table, CancellationToken ct)
    {
        if (Count == 0)
            return;
        await using var writer = await connection.BeginBinaryImportAsync($"copy {table} from stdin (format binary)", ct);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (var row = 0; row < Count; row++)
        {
            await writer.StartRowAsync(ct);
            foreach (var column in Keys)
                await writer.WriteAsync(column.Text(row), NpgsqlDbType.Text, ct);
            await writer.WriteAsync(Micros.ToDateTime(EventTimes.Bits(row)), NpgsqlDbType.TimestampTz, ct);
            await writer.WriteAsync(Micros.ToDateTime(KnownAt.Bits(row)), NpgsqlDbType.TimestampTz, ct);
            foreach (var column in Values)
                await WriteAsync(writer, column, row, ct);
            await writer.WriteAsync(Digest(hash, row), NpgsqlDbType.Bytea, ct);
        }

        await writer.CompleteAsync(ct);
        Truncate(0);
    }

    private static Task WriteAsync(NpgsqlBinaryImporter writer, ColumnBuffer column, int row, CancellationToken ct)
    {
        if (column.IsMissing(row))
            return writer.WriteNullAsync(ct);
        return column.Type switch
        {
            ColumnType.Double => writer.WriteAsync(column.Double(row), NpgsqlDbType.Double, ct),
            ColumnType.Integer => writer.WriteAsync(column.Bits(row), NpgsqlDbType.Bigint, ct),
            ColumnType.Boolean => writer.WriteAsync(column.Bits(row) != 0, NpgsqlDbType.Boolean, ct),
            ColumnType.Time => writer.WriteAsync(Micros.ToDateTime(column.Bits(row)), NpgsqlDbType.TimestampTz, ct),
            _ => writer.WriteAsync(column.Text(row), NpgsqlDbType.Text, ct),
        };
    }

    // Half of SHA-256 over the values: enough to tell rows of one key and time apart, and the same on every machine.
    private byte[] Digest(IncrementalHash hash, int row)
    {
        Span<byte> bits = stackalloc byte[9];
        foreach (var column in Values)
        {
            var isMissing = column.IsMissing(row);
            var text = !isMissing && column.Type == ColumnType.Text ? Encoding.UTF8.GetBytes(column.Text(row)) : [];
            bits[0] = isMissing ? (byte)0 : (byte)1;
            BinaryPrimitives.WriteInt64LittleEndian(
                bits[1..], isMissing ? 0 : column.Type == ColumnType.Text ? text.Length : column.Bits(row));
            hash.AppendData(bits);
            hash.AppendData(text);
        }

        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        hash.GetHashAndReset(digest);
        return digest[..DigestLength].ToArray();
    }
}
