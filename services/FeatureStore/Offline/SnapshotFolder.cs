using Microsoft.Extensions.Options;

namespace MlOps.FeatureStore.Offline;

/// <summary>Where the files of snapshots are; a file under its final name is always whole.</summary>
internal sealed class SnapshotFolder(IOptions<StorageOptions> options)
{
    private readonly string _path = Directory.CreateDirectory(Path.Combine(options.Value.Folder, "snapshots")).FullName;

    public string PathOf(string digest) => Path.Combine(_path, digest["sha256:".Length..]);

    /// <summary>A name of its own in the same file system, so that the move to the final name is one step.</summary>
    public string NewTemporaryPath() => Path.Combine(_path, $".{Guid.NewGuid():n}.tmp");
}
