using System.Security.Cryptography;
using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Tables.V1;
using MlOps.ServiceDefaults;
using MlOps.TestServers;

namespace MlOps.FeatureStore.Tests.Offline;

public sealed class SnapshotTests(FeatureStoreParts<SnapshotTests> store) : IClassFixture<FeatureStoreParts<SnapshotTests>>
{
    private static readonly (string Airport, long At)[] Wanted =
        [.. Enumerable.Range(0, 10_000).Select(number => ($"A{number % 13}", Parts.Zero + number * Parts.Second))];

    [ServerFact]
    public async Task The_same_content_has_the_same_digest_however_it_is_sent_and_is_kept_once()
    {
        await DefineAsync("stable");
        var first = await CreateAsync("stable", 10_000, "first name");
        var second = await CreateAsync("stable", 777, "second name");
        Assert.Equal(first, second);
        Assert.Equal((10_000, Wanted[0].At, Wanted[^1].At), (first.RowCount, first.MinTimeMicros, first.MaxTimeMicros));
        Assert.Equal(["airport", "at", "value"], first.Schema.Select(field => field.Name));
        Assert.Equal([ColumnType.Text, ColumnType.Time, ColumnType.Double], first.Schema.Select(field => field.Type));
        Assert.Equal(first, await store.Snapshots.GetAsync(first.Digest, default));

        var path = store.SnapshotFolder.PathOf(first.Digest);
        var bytes = await File.ReadAllBytesAsync(path);
        Assert.Equal(first.Digest, "sha256:" + Convert.ToHexStringLower(SHA256.HashData(bytes)));
        Assert.Equal(first.SizeBytes, bytes.Length);
        Assert.DoesNotContain(Directory.GetFiles(Path.GetDirectoryName(path)!), file => file.EndsWith(".tmp", StringComparison.Ordinal)); // it has a folder
    }

    [ServerFact]
    public async Task It_reads_back_as_it_was_joined()
    {
        await DefineAsync("read_back");
        var snapshot = await CreateAsync("read_back", 1_000);
        var tables = await store.ReadSnapshotAsync(snapshot.Digest);
        Assert.Equal([4_096, 4_096, 1_808], tables.Select(table => table.Columns[0].Texts.Values.Count));
        Assert.Equal(Wanted, tables.SelectMany(table => table.Columns[0].Texts.Values.Zip(table.Columns[1].Times.Values)));
        Assert.Equal((await store.JoinAsync([Parts.Rows(Wanted)], Define.Select("read_back"))).DoublesOf("value"), tables.DoublesOf("value"));
    }

    [ServerFact]
    public async Task Other_content_has_another_digest()
    {
        await DefineAsync("moving");
        var before = await CreateAsync("moving", 5_000);
        await store.IngestAsync("moving", Parts.Values(("A1", Parts.Zero + 2, 99)));
        Assert.NotEqual(before.Digest, (await CreateAsync("moving", 5_000)).Digest);
        Assert.Equal(10_000, (await store.ReadSnapshotAsync(before.Digest)).Sum(table => table.Columns[0].Texts.Values.Count));
    }

    [ServerFact]
    public async Task A_damaged_file_is_never_read_as_if_it_were_whole_and_creating_again_heals_it()
    {
        await DefineAsync("damaged");
        var snapshot = await CreateAsync("damaged", 5_000);
        var path = store.SnapshotFolder.PathOf(snapshot.Digest);
        var whole = await File.ReadAllBytesAsync(path);
        foreach (var position in new[] { 0, 6, 20, whole.Length / 2, whole.Length - 1 })
            await DamagedAsync(bytes => bytes[position] ^= 0x10);
        await DamagedAsync(bytes => bytes[^1]++);
        foreach (var length in new[] { 0, 3, 5, whole.Length / 2, whole.Length - 1 })
        {
            await File.WriteAllBytesAsync(path, whole[..length]);
            await FailsAsync();
        }

        await File.WriteAllBytesAsync(path, [.. whole, 0]);
        await FailsAsync();
        File.Delete(path);
        await FailsAsync();

        Assert.Equal(snapshot, await CreateAsync("damaged", 4_000));
        Assert.Equal(3, (await store.ReadSnapshotAsync(snapshot.Digest)).Count);

        async Task DamagedAsync(Action<byte[]> damage)
        {
            var bytes = whole.ToArray();
            damage(bytes);
            await File.WriteAllBytesAsync(path, bytes);
            await FailsAsync();
        }

        async Task FailsAsync() => Assert.Equal(
            "SNAPSHOT_CORRUPT", (await Assert.ThrowsAsync<ConflictException>(() => store.ReadSnapshotAsync(snapshot.Digest))).Code);
    }

    [ServerFact]
    public async Task A_snapshot_needs_a_name_rows_and_a_real_digest()
    {
        await DefineAsync("needy");
        Assert.Equal("SNAPSHOT_INVALID", (await Assert.ThrowsAsync<InvalidRequestException>(() => CreateAsync("needy", 5_000, " "))).Code);
        Assert.Equal("SNAPSHOT_INVALID", (await Assert.ThrowsAsync<InvalidRequestException>(
            () => store.SnapshotAsync("empty", [Parts.Rows()], Define.Select("needy")))).Code);
        Assert.Equal("DIGEST_INVALID", (await Assert.ThrowsAsync<InvalidRequestException>(
            () => store.Snapshots.GetAsync("sha256:../../etc/passwd", default))).Code);
    }

    private async Task DefineAsync(string view)
    {
        await store.ApplyAsync(Define.Airport, Define.View(view));
        await store.IngestAsync(view, Parts.Values(
            [.. Enumerable.Range(0, 500).Select(number => ($"A{number % 11}", Parts.Zero + number * 20 * Parts.Second, number / 3.0))]));
    }

    private Task<DatasetSnapshot> CreateAsync(string view, int batch, string? name = null) =>
        store.SnapshotAsync(name ?? view, Wanted.Chunk(batch).Select(part => Parts.Rows(part)), Define.Select(view));
}
