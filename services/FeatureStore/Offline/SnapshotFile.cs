using System.Buffers;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Google.Protobuf;
using MlOps.Contracts.Tables.V1;
using MlOps.ServiceDefaults;

namespace MlOps.FeatureStore.Offline;

/// <summary>
/// Content of a dataset snapshot, named by its SHA-256: the mark <c>MLDS1</c>, then length-delimited
/// <c>mlops.tables.v1.Table</c> messages in canonical form, first one without rows that carries the schema, then
/// <see cref="RowsPerTable"/> rows in each but the last. Equal rows give equal bytes however they arrived.
/// </summary>
internal static class SnapshotFile
{
    public const int RowsPerTable = 4_096;

    private const int CopyBytes = 128 * 1024;

    public static ReadOnlySpan<byte> Mark => "MLDS1"u8;

    /// <summary>Reads the tables with rows; ends with a failure when the bytes are not those that the digest names.</summary>
    /// <exception cref="ConflictException">SNAPSHOT_CORRUPT: the file is gone, cut or changed. What was read before is not to be used.</exception>
    public static async IAsyncEnumerable<Table> ReadAsync(
        string path, string digest, [EnumeratorCancellation] CancellationToken ct)
    {
        await using var file = Open(path, digest);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var mark = new byte[Mark.Length];
        await ReadExactlyAsync(file, mark, digest, ct);
        hash.AppendData(mark);
        if (!mark.AsSpan().SequenceEqual(Mark))
            throw Corrupt(digest, "it does not start with its mark");

        for (var isSchema = true; await ReadTableAsync(file, hash, digest, ct) is { } table; isSchema = false)
            if (!isSchema)
                yield return table;
        if ("sha256:" + Convert.ToHexStringLower(hash.GetHashAndReset()) != digest)
            throw Corrupt(digest, "its content has another digest");
    }

    private static async Task<Table?> ReadTableAsync(
        FileStream file, IncrementalHash hash, string digest, CancellationToken ct)
    {
        var length = await ReadLengthAsync(file, hash, digest, ct);
        if (length < 0)
            return null;
        if (length > file.Length - file.Position)
            throw Corrupt(digest, "a table is cut short");
        var bytes = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            await ReadExactlyAsync(file, bytes.AsMemory(0, length), digest, ct);
            hash.AppendData(bytes, 0, length);
            return Table.Parser.ParseFrom(bytes, 0, length);
        }
        catch (InvalidProtocolBufferException)
        {
            throw Corrupt(digest, "a table cannot be read");
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }

    private static async Task<int> ReadLengthAsync(FileStream file, IncrementalHash hash, string digest, CancellationToken ct)
    {
        var part = new byte[1];
        long length = 0;
        for (var shift = 0; shift <= 28; shift += 7)
        {
            if (await file.ReadAsync(part, ct) == 0)
                return shift == 0 ? -1 : throw Corrupt(digest, "a length is cut short");
            hash.AppendData(part);
            length |= (part[0] & 0x7FL) << shift;
            if (part[0] < 0x80)
                return length <= int.MaxValue ? (int)length : throw Corrupt(digest, "a length is too great");
        }

        throw Corrupt(digest, "a length is too great");
    }

    private static async Task ReadExactlyAsync(FileStream file, Memory<byte> bytes, string digest, CancellationToken ct)
    {
        if (await file.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, ct) < bytes.Length)
            throw Corrupt(digest, "it is cut short");
    }

    private static FileStream Open(string path, string digest)
    {
        try
        {
            return new(path, FileMode.Open, FileAccess.Read, FileShare.Read, CopyBytes, useAsync: true);
        }
        catch (IOException failure) when (failure is FileNotFoundException or DirectoryNotFoundException)
        {
            throw Corrupt(digest, "its file is gone");
        }
    }

    private static ConflictException Corrupt(string digest, string reason) =>
        new("SNAPSHOT_CORRUPT", $"Snapshot {digest} is damaged: {reason}. Create it again.");
}
