using Microsoft.Extensions.Options;

namespace MlOps.FeatureStore.Offline;

/// <summary>Where the files of snapshots are; a file under its final name is always whole.</summary>
internal sealed class SnapshotFolder
{
    private static readonly TimeSpan LongestWrite = TimeSpan.FromDays(1);
    private readonly string _path;

    public SnapshotFolder(IOptions<StorageOptions> options, TimeProvider clock)
    {
        _path = Directory.CreateDirectory(Path.Combine(options.Value.Folder, "snapshots")).FullName;
        // What a killed process left half written; another replica may be writing the young ones.
        foreach (var file in new DirectoryInfo(_path).EnumerateFiles(".*.tmp"))
            if (clock.GetUtcNow() - file.LastWriteTimeUtc > LongestWrite)
                file.Delete();
    }

    public string PathOf(string digest) => Path.Combine(_path, digest["sha256:".Length..]);

    /// <summary>A name of its own in the same file system, so that the move to the final name is one step.</summary>
    public string NewTemporaryPath() => Path.Combine(_path, $".{Guid.NewGuid():n}.tmp");
}
