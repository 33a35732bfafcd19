using System.Security.Cryptography;
using Google.Protobuf;
using Grpc.Core;
using MlOps.Contracts.Registry.V1;
using MlOps.TestServers;

namespace MlOps.Registry.Tests;

[Collection(nameof(RegistryFixture))]
public sealed class ArtifactTests(RegistryFixture registry)
{
    private string[] Files => Directory.GetFiles(Path.Combine(registry.Folder, "sha256"), "*", SearchOption.AllDirectories);

    [ServerFact]
    public async Task Content_comes_back_as_it_was_and_is_kept_once()
    {
        var content = RandomNumberGenerator.GetBytes(700_001);

        var first = await registry.UploadAsync(content);
        var second = await registry.UploadAsync(content, first.Digest, chunkBytes: 1_000_000);

        Assert.Equal(first, second);
        Assert.Equal(("sha256:" + Convert.ToHexStringLower(SHA256.HashData(content)), 700_001L), (first.Digest, first.SizeBytes));
        Assert.Equal(content, await registry.DownloadAsync(first.Digest));
        Assert.Single(Files, PathOf(first));
    }

    [ServerFact]
    public async Task Many_uploads_of_the_same_content_at_once_keep_it_once()
    {
        var content = RandomNumberGenerator.GetBytes(100_000);

        var artifacts = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => registry.UploadAsync(content)));

        Assert.Single(artifacts.Distinct());
        Assert.Equal(content, await registry.DownloadAsync(artifacts[0].Digest));
        await AssertNothingIncomingAsync();
    }

    [ServerFact]
    public async Task An_empty_file_is_an_artifact() =>
        Assert.Empty(await registry.DownloadAsync((await registry.UploadAsync([])).Digest));

    [ServerFact]
    public async Task Content_with_another_digest_than_expected_is_refused_and_leaves_nothing()
    {
        var content = RandomNumberGenerator.GetBytes(1_000);
        var digest = "sha256:" + Convert.ToHexStringLower(SHA256.HashData(content));

        await Refusal.OfAsync(
            () => registry.UploadAsync(content, "sha256:" + new string('0', 64)), StatusCode.InvalidArgument, "DIGEST_MISMATCH");

        await Refusal.OfAsync(() => registry.DownloadAsync(digest), StatusCode.NotFound, "ARTIFACT_UNKNOWN");
        await AssertNothingIncomingAsync();
    }

    [ServerFact]
    public async Task Content_above_the_limit_is_refused() => await Refusal.OfAsync(
        async () =>
        {
            using var call = registry.Client.UploadArtifact();
            await call.RequestStream.WriteAsync(new() { Header = new() { Name = "big" } });
            await call.RequestStream.WriteAsync(new() { Chunk = ByteString.CopyFrom(new byte[RegistryFixture.MaxArtifactBytes]) });
            await call.RequestStream.WriteAsync(new() { Chunk = ByteString.CopyFrom(1) });
            await call;
        },
        StatusCode.InvalidArgument, "ARTIFACT_TOO_LARGE");

    [ServerFact]
    public async Task An_upload_without_its_header_is_refused() => await Refusal.OfAsync(
        async () =>
        {
            using var call = registry.Client.UploadArtifact();
            await call.RequestStream.WriteAsync(new() { Chunk = ByteString.CopyFrom(1) });
            await call;
        },
        StatusCode.InvalidArgument, "UPLOAD_MALFORMED");

    [ServerFact]
    public async Task An_upload_that_breaks_off_leaves_nothing()
    {
        using (var call = registry.Client.UploadArtifact())
        {
            await call.RequestStream.WriteAsync(new() { Header = new() { Name = "half" } });
            await call.RequestStream.WriteAsync(new() { Chunk = ByteString.CopyFrom(new byte[200_000]) });
            await Eventually.Async(() => Incoming.Length > 0, TimeSpan.FromSeconds(10));
        }

        await AssertNothingIncomingAsync();
    }

    [ServerTheory]
    [InlineData("changed")]
    [InlineData("cut")]
    [InlineData("gone")]
    public async Task Damaged_content_never_passes_and_a_new_upload_heals_it(string damage)
    {
        var content = RandomNumberGenerator.GetBytes(300_000);
        var artifact = await registry.UploadAsync(content);
        Damage(PathOf(artifact), damage);

        await Refusal.OfAsync(() => registry.DownloadAsync(artifact.Digest), StatusCode.DataLoss, "ARTIFACT_CORRUPT");

        await registry.UploadAsync(content);
        Assert.Equal(content, await registry.DownloadAsync(artifact.Digest));
    }

    [ServerTheory]
    [InlineData("model.onnx")]
    [InlineData("sha256:../../etc/passwd")]
    [InlineData("sha256:ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789")]
    public async Task What_is_no_digest_is_refused(string digest) => await Refusal.OfAsync(
        () => registry.DownloadAsync(digest), StatusCode.InvalidArgument, "DIGEST_INVALID");

    private string[] Incoming => Directory.GetFiles(Path.Combine(registry.Folder, "incoming"));

    private Task AssertNothingIncomingAsync() => Eventually.Async(() => Incoming.Length == 0, TimeSpan.FromSeconds(10));

    private string PathOf(Artifact artifact) =>
        Path.Combine(registry.Folder, "sha256", artifact.Digest[7..9], artifact.Digest[9..]) is var path && File.Exists(path)
            ? path
            : throw new FileNotFoundException(path);

    private static void Damage(string path, string damage)
    {
        if (damage == "gone")
        {
            File.Delete(path);
            return;
        }

        using var file = File.Open(path, FileMode.Open);
        if (damage == "cut") file.SetLength(file.Length - 1);
        else
        {
            file.Position = 150_000;
            var value = file.ReadByte();
            file.Position = 150_000;
            file.WriteByte((byte)(value ^ 1));
        }
    }
}
