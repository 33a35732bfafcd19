using Microsoft.Extensions.Options;

namespace MlOps.Inference.BatchJobs.Files;

/// <summary>
/// Files in a folder, one replica's or one that replicas share. The folder carries a name of its own, by which replicas
/// know whether they see the same one.
/// </summary>
internal sealed class FolderFiles : IBatchFiles
{
    private const string NameFile = "folder-id";
    private const int CopyBytes = 1 << 20;
    private const int DeleteAttempts = 40;
    private static readonly TimeSpan DeletePause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestWrite = TimeSpan.FromDays(1);
    private readonly TimeProvider _time;
    private readonly string _folder;

    public FolderFiles(IOptions<BatchOptions> options, IConfiguration configuration, TimeProvider time)
    {
        _time = time;
        var storage = configuration["Storage:Folder"] ?? throw new InvalidOperationException("Storage:Folder is not set.");
        _folder = Directory.CreateDirectory(
            options.Value.Folder.Length > 0 ? options.Value.Folder : Path.Combine(storage, "batch")).FullName;
        Id = NameOf(_folder);
        // What a killed process left half written; another replica may be writing the young ones.
        foreach (var file in new DirectoryInfo(_folder).EnumerateFiles("*.part", SearchOption.AllDirectories))
        {
            if (time.GetUtcNow() - file.LastWriteTimeUtc > LongestWrite) file.Delete();
        }
    }

    public string Id { get; }

    public async Task WriteAsync(string name, Func<Stream, Task> write, CancellationToken ct)
    {
        var path = PathOf(name);
        Directory.CreateDirectory(Path.GetDirectoryName(path) ?? _folder);
        var temporary = $"{path}.{Guid.NewGuid():N}.part";
        try
        {
            await using (var file = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None, CopyBytes, useAsync: true))
            {
                await write(file);
                await file.FlushAsync(ct);
                // The name must not outlive the content in a power failure.
                file.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }

    public async Task ReadAsync(string name, long offset, Memory<byte> bytes, CancellationToken ct)
    {
        using var handle = File.OpenHandle(PathOf(name), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        while (!bytes.IsEmpty)
        {
            var read = await RandomAccess.ReadAsync(handle, bytes, offset, ct);
            if (read == 0) throw new EndOfStreamException($"{name} ends before byte {offset + bytes.Length}.");
            bytes = bytes[read..];
            offset += read;
        }
    }

    public Task<Stream> OpenAsync(string name, CancellationToken ct) => Task.FromResult<Stream>(new FileStream(
        PathOf(name), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, CopyBytes, useAsync: true));

    public async Task DeleteAsync(string name, CancellationToken ct)
    {
        var path = PathOf(name);
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                if (Directory.Exists(path)) Directory.Delete(path, recursive: true);
                else File.Delete(path);
                return;
            }
            catch (DirectoryNotFoundException)
            {
                return;
            }
            catch (IOException) when (attempt < DeleteAttempts)
            {
                // A worker that has not yet heard of the job's end puts a part there meanwhile.
                await Task.Delay(DeletePause, _time, ct);
            }
        }
    }

    private string PathOf(string name) => Path.Combine(_folder, name);

    // Whole or not there, and the first of several replicas wins.
    private static string NameOf(string folder)
    {
        var path = Path.Combine(folder, NameFile);
        if (!File.Exists(path))
        {
            var temporary = $"{path}.{Guid.NewGuid():N}.part";
            File.WriteAllText(temporary, $"folder-{Guid.NewGuid():N}"[..23]);
            try
            {
                File.Move(temporary, path, overwrite: false);
            }
            catch (IOException) when (File.Exists(path))
            {
                File.Delete(temporary);
            }
        }

        return File.ReadAllText(path);
    }
}
