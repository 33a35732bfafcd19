using System.Security.Cryptography;
using System.Text.Json;
using MlOps.Contracts.Registry.V1;
using MlOps.Numerics.Profiles;
using MlOps.ServiceDefaults;

namespace MlOps.Monitoring.Drift;

/// <summary>
/// Reference profiles by their digest, fetched from the registry once. The 32 used last are kept, for a digest never
/// changes its content.
/// </summary>
internal sealed class ReferenceProfiles(RegistryService.RegistryServiceClient registry, TimeProvider time)
{
    public const int Kept = 32;
    private const int MaxBytes = 64 * 1024 * 1024;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly Lock _lock = new();

    // The first was used last.
    private readonly LinkedList<(string Digest, ReferenceProfile Profile)> _kept = [];

    /// <exception cref="ConflictException">PROFILE_INVALID: what the version names as its profile is none.</exception>
    /// <exception cref="Grpc.Core.RpcException">As the registry answers.</exception>
    public async Task<ReferenceProfile> GetAsync(string digest, CancellationToken ct)
    {
        if (Find(digest) is { } known) return known;
        var profile = Parse(digest, await DownloadAsync(digest, ct));
        Keep(digest, profile);
        return profile;
    }

    private ReferenceProfile? Find(string digest)
    {
        lock (_lock)
        {
            for (var node = _kept.First; node is not null; node = node.Next)
            {
                if (node.Value.Digest != digest) continue;
                _kept.Remove(node);
                _kept.AddFirst(node);
                return node.Value.Profile;
            }

            return null;
        }
    }

    private void Keep(string digest, ReferenceProfile profile)
    {
        lock (_lock)
        {
            // Two callers may have fetched the same one.
            if (_kept.Any(k => k.Digest == digest)) return;
            _kept.AddFirst((digest, profile));
            if (_kept.Count > Kept) _kept.RemoveLast();
        }
    }

    private async Task<byte[]> DownloadAsync(string digest, CancellationToken ct)
    {
        using var call = registry.DownloadArtifact(
            new DownloadArtifactRequest { Digest = digest },
            deadline: (time.GetUtcNow() + Patience).UtcDateTime, cancellationToken: ct);
        using var content = new MemoryStream();
        while (await call.ResponseStream.MoveNext(ct))
        {
            call.ResponseStream.Current.Chunk.WriteTo(content);
            if (content.Length > MaxBytes) throw Invalid(digest, $"it has more than {MaxBytes:N0} bytes");
        }

        return content.ToArray();
    }

    private static ReferenceProfile Parse(string digest, byte[] content)
    {
        if (digest != "sha256:" + Convert.ToHexStringLower(SHA256.HashData(content)))
        {
            throw Invalid(digest, "its content has another digest");
        }

        try
        {
            return ReferenceProfile.FromJson(content);
        }
        catch (JsonException e)
        {
            throw Invalid(digest, e.Message);
        }
    }

    private static ConflictException Invalid(string digest, string reason) =>
        new("PROFILE_INVALID", $"Artifact {digest} is no reference profile: {reason}.");
}
