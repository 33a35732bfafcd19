using System.Security.Cryptography;
using Google.Protobuf;
using Grpc.Core;
using MlOps.Contracts.Registry.V1;
using MlOps.Monitoring.Drift;
using MlOps.Numerics.Profiles;
using MlOps.ServiceDefaults;

namespace MlOps.Monitoring.Tests.Drift;

public class ReferenceProfilesTests
{
    private readonly ArtifactsInMemory _artifacts = new();

    [Fact]
    public async Task A_profile_is_fetched_once_and_the_one_used_longest_ago_goes_first()
    {
        var profiles = new ReferenceProfiles(_artifacts, TimeProvider.System);
        var digests = Enumerable.Range(0, ReferenceProfiles.Kept + 1).Select(i => _artifacts.Add(ProfileOf(i))).ToArray();
        foreach (var digest in digests.SkipLast(1)) await profiles.GetAsync(digest, CancellationToken.None);

        var first = await profiles.GetAsync(digests[0], CancellationToken.None);
        Assert.Equal("0", first.Features[0].Name);
        Assert.Equal(ReferenceProfiles.Kept, _artifacts.Downloads);

        await profiles.GetAsync(digests[^1], CancellationToken.None);
        await profiles.GetAsync(digests[0], CancellationToken.None);
        Assert.Equal(ReferenceProfiles.Kept + 1, _artifacts.Downloads);
        await profiles.GetAsync(digests[1], CancellationToken.None);
        Assert.Equal(ReferenceProfiles.Kept + 2, _artifacts.Downloads);
    }

    [Fact]
    public async Task Content_of_another_digest_is_refused()
    {
        var digest = _artifacts.Add(ProfileOf(1));
        _artifacts.Replace(digest, ProfileOf(2));

        var refusal = await Assert.ThrowsAsync<ConflictException>(
            () => new ReferenceProfiles(_artifacts, TimeProvider.System).GetAsync(digest, CancellationToken.None));

        Assert.Equal("PROFILE_INVALID", refusal.Code);
    }

    private static byte[] ProfileOf(int name) =>
        new ReferenceProfile { Features = [FeatureProfile.Numeric($"{name}", [1.0])] }.ToJson();

    /// <summary>A registry that only has artifacts.</summary>
    private sealed class ArtifactsInMemory : RegistryService.RegistryServiceClient
    {
        private readonly Dictionary<string, byte[]> _content = [];

        public int Downloads { get; private set; }

        public string Add(byte[] content)
        {
            var digest = "sha256:" + Convert.ToHexStringLower(SHA256.HashData(content));
            _content[digest] = content;
            return digest;
        }

        public void Replace(string digest, byte[] content) => _content[digest] = content;

        public override AsyncServerStreamingCall<DownloadArtifactResponse> DownloadArtifact(
            DownloadArtifactRequest request, Metadata? headers = null, DateTime? deadline = null,
            CancellationToken cancellationToken = default)
        {
            Downloads++;
            return new AsyncServerStreamingCall<DownloadArtifactResponse>(
                new Chunks(_content[request.Digest]), Task.FromResult<Metadata>([]), () => Status.DefaultSuccess, () => [], () => { });
        }
    }

    private sealed class Chunks(byte[] content) : IAsyncStreamReader<DownloadArtifactResponse>
    {
        private readonly Queue<byte[]> _left = new(content.Chunk(10));

        public DownloadArtifactResponse Current { get; private set; } = new();

        public Task<bool> MoveNext(CancellationToken cancellationToken)
        {
            if (!_left.TryDequeue(out var chunk)) return Task.FromResult(false);
            Current = new DownloadArtifactResponse { Chunk = ByteString.CopyFrom(chunk) };
            return Task.FromResult(true);
        }
    }
}
