using System.Security.Cryptography;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.Options;
using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Tables.V1;

namespace MlOps.Training.Datasets;

/// <summary>
/// Snapshots on disk as FeatureStore streamed them: length-prefixed tables behind their SHA-256. A file that does not match
/// its hash is fetched again; the least recently used go when there are too many.
/// </summary>
internal sealed partial class SnapshotFolder(
    IConfiguration configuration,
    IOptions<TrainingOptions> options,
    FeatureStoreService.FeatureStoreServiceClient features,
    TimeProvider time,
    ILogger<SnapshotFolder> logger)
{
    private readonly string _folder = Path.Combine(
        configuration["Storage:Folder"] ?? Path.Combine(Path.GetTempPath(), "mlops-training"), "snapshots");

    /// <summary>The snapshot's tables, in order.</summary>
    internal async Task<IReadOnlyList<Table>> ReadAsync(string digest, CancellationToken ct)
    {
        var path = Path.Combine(_folder, digest.Replace(':', '-') + ".tables");
        if (await TryReadAsync(path, ct) is { } kept) return kept;

        Directory.CreateDirectory(_folder);
        await FetchAsync(digest, path, ct);
        RemoveOldest();
        return await TryReadAsync(path, ct)
            ?? throw new IOException($"Snapshot {digest} does not read back as it was written.");
    }

    private async Task FetchAsync(string digest, string path, CancellationToken ct)
    {
        var temporary = $"{path}.{Guid.NewGuid():N}";
        try
        {
            await using (var file = new FileStream(temporary, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, 1 << 16))
            {
                using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
                file.SetLength(SHA256.HashSizeInBytes);
                file.Position = SHA256.HashSizeInBytes;
                using var call = features.ReadSnapshot(
                    new ReadSnapshotRequest { Digest = digest },
                    deadline: (time.GetUtcNow() + options.Value.SnapshotTimeout).UtcDateTime, cancellationToken: ct);
                await foreach (var table in call.ResponseStream.ReadAllAsync(ct))
                {
                    using var bytes = new MemoryStream(table.CalculateSize() + 8);
                    table.WriteDelimitedTo(bytes);
                    sha.AppendData(bytes.GetBuffer().AsSpan(0, (int)bytes.Length));
                    await file.WriteAsync(bytes.GetBuffer().AsMemory(0, (int)bytes.Length), ct);
                }
                file.Position = 0;
                await file.WriteAsync(sha.GetHashAndReset(), ct);
            }
            File.Move(temporary, path, overwrite: true);
        }
        finally
        {
            File.Delete(temporary);
        }
        LogFetched(digest, new FileInfo(path).Length);
    }

    private async Task<IReadOnlyList<Table>?> TryReadAsync(string path, CancellationToken ct)
    {
        if (!File.Exists(path)) return null;
        await using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 1 << 16);
        var expected = new byte[SHA256.HashSizeInBytes];
        var read = await file.ReadAtLeastAsync(expected, expected.Length, throwOnEndOfStream: false, ct);
        var actual = await SHA256.HashDataAsync(file, ct);
        if (read < expected.Length || !actual.AsSpan().SequenceEqual(expected))
        {
            LogBroken(path);
            return null;
        }
        file.Position = SHA256.HashSizeInBytes;
        var tables = new List<Table>();
        while (file.Position < file.Length) tables.Add(Table.Parser.ParseDelimitedFrom(file));
        File.SetLastAccessTimeUtc(path, time.GetUtcNow().UtcDateTime);
        return tables;
    }

    private void RemoveOldest()
    {
        var files = new DirectoryInfo(_folder).GetFiles("*.tables").OrderByDescending(file => file.LastAccessTimeUtc);
        foreach (var file in files.Skip(options.Value.SnapshotsOnDisk)) file.Delete();
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Snapshot {Digest} is here, {Bytes} bytes")]
    private partial void LogFetched(string digest, long bytes);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The snapshot file {Path} does not match its hash and is fetched again")]
    private partial void LogBroken(string path);
}
