using System.Buffers;
using System.Security.Cryptography;
using Grpc.Core;
using Microsoft.Extensions.Options;
using MlOps.Contracts.Registry.V1;

namespace MlOps.Inference.Models;

/// <summary>Model files on disk by digest; what it hands out always has the digest asked for.</summary>
internal sealed partial class ArtifactCache(
    RegistryService.RegistryServiceClient registry, IOptions<InferenceOptions> options, IConfiguration configuration,
    TimeProvider time, ILogger<ArtifactCache> logger)
{
    private const string DigestPrefix = "sha256:";
    private const string PartExtension = ".part";
    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdef");
    private static readonly TimeSpan DownloadTimeout = TimeSpan.FromMinutes(5);
    private readonly string _folder = Path.Combine(
        configuration["Storage:Folder"] ?? throw new InvalidOperationException("Storage:Folder is not set."), "models");

    public async Task<byte[]> ReadAsync(string digest, CancellationToken ct)
    {
        if (!IsDigest(digest)) throw new InvalidDataException($"'{digest}' is not a sha256 digest.");
        var path = Path.Combine(_folder, digest[DigestPrefix.Length..]);
        if (await ReadKeptAsync(path, ct) is { } kept)
        {
            if (DigestOf(kept) == digest) return kept;
            LogDamaged(digest);
        }

        var content = await DownloadAsync(digest, ct);
        var actual = DigestOf(content);
        if (actual != digest) throw new InvalidDataException($"The registry sent {actual} for {digest}.");
        Keep(path, content);
        return content;
    }

    private async Task<byte[]?> ReadKeptAsync(string path, CancellationToken ct)
    {
        try
        {
            var kept = await File.ReadAllBytesAsync(path, ct);
            File.SetLastWriteTimeUtc(path, time.GetUtcNow().UtcDateTime);
            return kept;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    private async Task<byte[]> DownloadAsync(string digest, CancellationToken ct)
    {
        using var call = registry.DownloadArtifact(
            new DownloadArtifactRequest { Digest = digest },
            deadline: (time.GetUtcNow() + DownloadTimeout).UtcDateTime, cancellationToken: ct);
        using var content = new MemoryStream();
        await foreach (var part in call.ResponseStream.ReadAllAsync(ct)) content.Write(part.Chunk.Span);
        return content.ToArray();
    }

    // Written beside and renamed: a file under its digest is whole, whoever else shares the folder.
    private void Keep(string path, byte[] content)
    {
        Directory.CreateDirectory(_folder);
        var temporary = $"{path}.{Guid.NewGuid():N}{PartExtension}";
        File.WriteAllBytes(temporary, content);
        File.Move(temporary, path, overwrite: true);
        DropOldest(path);
    }

    private void DropOldest(string justKept)
    {
        var total = 0L;
        // Others keep and drop files too: one that is gone since it was listed, or is just being written, is left alone.
        var files = new DirectoryInfo(_folder).EnumerateFiles().Where(f => f.Exists && !IsBeingWritten(f));
        foreach (var file in files.OrderByDescending(f => f.LastWriteTimeUtc))
        {
            total += file.Length;
            if (total > options.Value.ModelCacheBytes && file.FullName != Path.GetFullPath(justKept)) file.Delete();
        }
    }

    private bool IsBeingWritten(FileInfo file) =>
        file.Extension == PartExtension && time.GetUtcNow().UtcDateTime - file.LastWriteTimeUtc < DownloadTimeout;

    private static string DigestOf(byte[] content) => DigestPrefix + Convert.ToHexStringLower(SHA256.HashData(content));

    private static bool IsDigest(string digest) =>
        digest.Length == DigestPrefix.Length + 64 && digest.StartsWith(DigestPrefix, StringComparison.Ordinal)
        && digest.AsSpan(DigestPrefix.Length).IndexOfAnyExcept(HexDigits) < 0;

    [LoggerMessage(Level = LogLevel.Warning, Message = "Cached model file {Digest} is damaged; downloading it again")]
    private partial void LogDamaged(string digest);
}
