using System.Security.Cryptography;
using Microsoft.Extensions.Options;
using MlOps.Contracts.Registry.V1;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Registry.Artifacts;

/// <summary>Stores content under its SHA-256 once, however often it is uploaded; a broken upload leaves nothing.</summary>
internal sealed class UploadArtifact(
    ArtifactFolder folder, NpgsqlDataSource source, IOptions<RegistryOptions> options, RegistryMetrics metrics,
    TimeProvider time)
{
    /// <exception cref="InvalidRequestException">
    /// UPLOAD_MALFORMED, DIGEST_INVALID, DIGEST_MISMATCH, ARTIFACT_TOO_LARGE
    /// </exception>
    public async Task<Artifact> HandleAsync(IAsyncEnumerable<UploadArtifactRequest> parts, CancellationToken ct)
    {
        await using var enumerator = parts.GetAsyncEnumerator(ct);
        var header = await enumerator.MoveNextAsync() && enumerator.Current.Header is { } first
            ? first
            : throw Malformed("The first message must be the header.");
        Check(header);

        var incoming = folder.CreateIncoming();
        try
        {
            Artifact artifact;
            await using (incoming) artifact = await ReceiveAsync(header, enumerator, incoming, ct);
            folder.Keep(incoming.Name, artifact.Digest);
            await RecordAsync(artifact, ct);
            metrics.ArtifactBytes.Add(artifact.SizeBytes);
            return artifact;
        }
        finally
        {
            // Gone already when it was kept.
            File.Delete(incoming.Name);
        }
    }

    private static void Check(UploadArtifactRequest.Types.Header header)
    {
        var violations = new Violations();
        violations.CheckText("header.name", header.Name, 255);
        violations.ThrowIfAny("UPLOAD_MALFORMED");
        if (header.ExpectedDigest.Length > 0) Digest.Check("header.expected_digest", header.ExpectedDigest);
    }

    private async Task<Artifact> ReceiveAsync(
        UploadArtifactRequest.Types.Header header, IAsyncEnumerator<UploadArtifactRequest> parts, FileStream incoming,
        CancellationToken ct)
    {
        using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var size = 0L;
        while (await parts.MoveNextAsync())
        {
            if (parts.Current.PartCase != UploadArtifactRequest.PartOneofCase.Chunk)
            {
                throw Malformed("Every message after the first must be a chunk.");
            }

            var chunk = parts.Current.Chunk.Memory;
            size += chunk.Length;
            if (size > options.Value.MaxArtifactBytes)
            {
                throw new InvalidRequestException(
                    "ARTIFACT_TOO_LARGE",
                    $"An artifact has at most {options.Value.MaxArtifactBytes:N0} bytes (Registry:MaxArtifactBytes).");
            }

            sha.AppendData(chunk.Span);
            await incoming.WriteAsync(chunk, ct);
        }

        var digest = Digest.Of(sha.GetHashAndReset());
        if (header.ExpectedDigest.Length > 0 && header.ExpectedDigest != digest)
        {
            throw new InvalidRequestException(
                "DIGEST_MISMATCH",
                $"The {size:N0} bytes have the digest {digest}, not {header.ExpectedDigest}; upload them again.");
        }

        incoming.Flush(flushToDisk: true);
        return new Artifact { Digest = digest, SizeBytes = size, Name = header.Name };
    }

    // The record comes after the file, so a recorded artifact has its content.
    private async Task RecordAsync(Artifact artifact, CancellationToken ct) => await source.ExecuteAsync(
        "insert into artifact (digest, size_bytes, name, created_at) values ($1, $2, $3, $4) on conflict do nothing",
        [artifact.Digest, artifact.SizeBytes, artifact.Name, time.GetUtcNow()], ct);

    private static InvalidRequestException Malformed(string message) => new("UPLOAD_MALFORMED", message);
}
