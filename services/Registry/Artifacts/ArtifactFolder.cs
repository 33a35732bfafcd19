using Microsoft.Extensions.Options;

namespace MlOps.Registry.Artifacts;

/// <summary>
/// Content-addressed files: <c>sha256/ab/cdef…</c>. A file under its final name is always whole, since it is written
/// elsewhere, flushed to the disk and then renamed.
/// </summary>
internal sealed class ArtifactFolder(IOptions<StorageOptions> options)
{
    private readonly string _root = Path.GetFullPath(options.Value.Folder);

    /// <summary>Uploads on their way.</summary>
    public string Incoming => Path.Combine(_root, "incoming");

    public string PathOf(string digest)
    {
        var hex = Digest.Hex(digest);
        return Path.Combine(_root, "sha256", hex[..2], hex[2..]);
    }

    /// <summary>A new file of its own for an upload.</summary>
    public FileStream CreateIncoming()
    {
        Directory.CreateDirectory(Incoming);
        return new FileStream(
            Path.Combine(Incoming, Guid.CreateVersion7().ToString("N")),
            FileMode.CreateNew, FileAccess.Write, FileShare.None, 0, FileOptions.Asynchronous);
    }

    /// <summary>Takes a finished upload under its digest. An earlier copy is replaced, which heals a damaged one.</summary>
    public void Keep(string incoming, string digest)
    {
        var path = PathOf(digest);
        // The path ends in two folders, so it has a parent.
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.Move(incoming, path, overwrite: true);
    }
}
