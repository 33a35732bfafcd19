using System.Security.Cryptography;
using Microsoft.Extensions.Options;
using MlOps.Inference.BatchJobs.Files;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Inference.BatchJobs.Inputs;

/// <summary>
/// Keeps a text of rows in the file store and finds, while it passes, its digest, its columns and where to cut it. The
/// same content is kept once.
/// </summary>
internal sealed class StoreInput(NpgsqlDataSource source, IBatchFiles files, IOptions<BatchOptions> options, TimeProvider time)
{
    public const string DigestPrefix = "sha256:";

    /// <exception cref="InvalidRequestException">INPUT_HEADER, INPUT_EMPTY, INPUT_TOO_LARGE, INPUT_DIGEST.</exception>
    public async Task<StoredInput> HandleAsync(
        TextFormat format, string expectedDigest, IAsyncEnumerable<ReadOnlyMemory<byte>> chunks, CancellationToken ct)
    {
        var file = $"inputs/{Guid.NewGuid():N}";
        var index = new InputIndex(format, options.Value.PartitionBytes);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var size = 0L;
        await files.WriteAsync(
            file,
            async stream =>
            {
                await foreach (var chunk in chunks.WithCancellation(ct))
                {
                    size += chunk.Length;
                    if (size > options.Value.MaxInputBytes)
                    {
                        throw new InvalidRequestException("INPUT_TOO_LARGE", $"An input may have {options.Value.MaxInputBytes} bytes.");
                    }

                    hash.AppendData(chunk.Span);
                    index.Append(chunk.Span);
                    await stream.WriteAsync(chunk, ct);
                }

                index.Complete();
                CheckDigest(hash.GetCurrentHash(), expectedDigest);
            },
            ct);
        var input = new StoredInput(
            DigestOf(hash.GetCurrentHash()), format, index.Columns, size, index.Rows, file, index.Partitions);
        var kept = await KeepAsync(input, ct);
        if (kept.File != file) await files.DeleteAsync(file, ct);
        return kept;
    }

    /// <summary>The input of that digest in this store, as used now; null: there is none.</summary>
    public Task<StoredInput?> FindAsync(NpgsqlTransaction transaction, string digest, CancellationToken ct) =>
        transaction.QueryFirstOrDefaultAsync(
            $"""
            update batch_input set used_at = $3 where (digest, files, format) = (
                select digest, files, format from batch_input where digest = $1 and files = $2 order by used_at desc limit 1)
            returning {StoredInput.SqlColumns}
            """,
            [digest, files.Id, time.GetUtcNow()], StoredInput.Read, ct);

    // The content that was there first stays: jobs may be reading it.
    private async Task<StoredInput> KeepAsync(StoredInput input, CancellationToken ct)
    {
        var kept = await source.QueryFirstOrDefaultAsync(
            $"""
            insert into batch_input (
                digest, format, columns, size_bytes, rows, files, file, offsets, lengths, first_rows, first_lines, row_counts, used_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
            on conflict (digest, files, format) do update set used_at = excluded.used_at
            returning {StoredInput.SqlColumns}
            """,
            [
                input.Digest, input.Format.Name(), input.Columns, input.SizeBytes, input.Rows, files.Id, input.File,
                input.Partitions.Select(p => p.Offset).ToArray(), input.Partitions.Select(p => p.Length).ToArray(),
                input.Partitions.Select(p => p.FirstRow).ToArray(), input.Partitions.Select(p => p.FirstLine).ToArray(),
                input.Partitions.Select(p => p.Rows).ToArray(), time.GetUtcNow(),
            ],
            StoredInput.Read, ct);
        return kept ?? input;
    }

    private static void CheckDigest(byte[] hash, string expected)
    {
        if (expected.Length > 0 && expected != DigestOf(hash))
        {
            throw new InvalidRequestException("INPUT_DIGEST", $"The content has the digest {DigestOf(hash)}, not {Predictions.Workspace.Shown(expected)}.");
        }
    }

    private static string DigestOf(byte[] hash) => DigestPrefix + Convert.ToHexStringLower(hash);
}
