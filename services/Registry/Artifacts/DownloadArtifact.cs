using System.Buffers;
using System.Security.Cryptography;
using Google.Protobuf;
using Grpc.Core;
using MlOps.Contracts.Registry.V1;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Registry.Artifacts;

/// <summary>Streams an artifact and ends well only when every byte is what was uploaded.</summary>
internal sealed partial class DownloadArtifact(
    ArtifactFolder folder, NpgsqlDataSource source, ILogger<DownloadArtifact> logger)
{
    private const int ChunkBytes = 256 * 1024;

    /// <exception cref="InvalidRequestException">DIGEST_INVALID</exception>
    /// <exception cref="NotFoundException">ARTIFACT_UNKNOWN</exception>
    /// <exception cref="RpcException">DataLoss, ARTIFACT_CORRUPT: the stored content is damaged or gone.</exception>
    public async Task HandleAsync(
        string digest, Func<DownloadArtifactResponse, CancellationToken, Task> write, CancellationToken ct)
    {
        Digest.Check("digest", digest);
        var size = await source.QueryFirstOrDefaultAsync<long?>(
            "select size_bytes from artifact where digest = $1", [digest], r => r.GetInt64(0), ct)
            ?? throw new NotFoundException("ARTIFACT_UNKNOWN", $"No artifact has the digest {digest}.");

        await using var file = Open(digest);
        if (file is null) throw Corrupt(digest, "the file is missing");
        if (file.Length != size) throw Corrupt(digest, "its length is wrong");

        using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = ArrayPool<byte>.Shared.Rent(ChunkBytes);
        try
        {
            while (await file.ReadAsync(buffer.AsMemory(0, ChunkBytes), ct) is > 0 and var count)
            {
                sha.AppendData(buffer, 0, count);
                // Written out before the call returns, so the buffer is free again.
                var chunk = UnsafeByteOperations.UnsafeWrap(buffer.AsMemory(0, count));
                await write(new DownloadArtifactResponse { Chunk = chunk }, ct);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        if (Digest.Of(sha.GetHashAndReset()) != digest) throw Corrupt(digest, "its content has another digest");
    }

    private FileStream? Open(string digest)
    {
        try
        {
            return new FileStream(
                folder.PathOf(digest), FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, 0,
                FileOptions.Asynchronous | FileOptions.SequentialScan);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    private RpcException Corrupt(string digest, string reason)
    {
        LogCorrupt(digest, reason);
        return new RpcException(
            new Status(
                StatusCode.DataLoss, $"The stored artifact {digest} is damaged ({reason}); upload it again to heal it."),
            new Metadata { { "mlops-code", "ARTIFACT_CORRUPT" } });
    }

    [LoggerMessage(Level = LogLevel.Critical, Message = "Artifact {Digest} is damaged: {Reason}")]
    private partial void LogCorrupt(string digest, string reason);
}
