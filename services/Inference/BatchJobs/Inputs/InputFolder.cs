using System.Runtime.CompilerServices;
using Microsoft.Extensions.Options;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.BatchJobs.Inputs;

/// <summary>Files that jobs may read: those below the configured folder, links followed, and nothing outside.</summary>
internal sealed class InputFolder(IOptions<BatchOptions> options)
{
    private const int ReadBytes = 1 << 20;

    public bool IsOpen => options.Value.InputFolder.Length > 0;

    /// <exception cref="InvalidRequestException">INPUT_PATH: outside the folder, or nothing to read.</exception>
    public async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAsync(string path, [EnumeratorCancellation] CancellationToken ct)
    {
        await using var file = Open(path);
        var buffer = new byte[ReadBytes];
        while (await file.ReadAsync(buffer, ct) is var read and > 0) yield return buffer.AsMemory(0, read);
    }

    /// <inheritdoc cref="ReadAsync"/>
    public FileStream Open(string path)
    {
        try
        {
            return new FileStream(Resolve(path), FileMode.Open, FileAccess.Read, FileShare.Read, 1, useAsync: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Refused(path, "there is no such file that can be read");
        }
    }

    private string Resolve(string path)
    {
        if (!IsOpen) throw Refused(path, "Inference:Batch:InputFolder is not set");
        var folder = RealPath(Path.GetFullPath(options.Value.InputFolder));
        if (Path.IsPathRooted(path) || path.Contains('\0')) throw Refused(path, "it must be relative to the input folder");
        var full = Path.GetFullPath(Path.Combine(folder, path));
        if (!IsBelow(folder, full)) throw Refused(path, "it lies outside the input folder");
        var real = RealPath(full);
        return IsBelow(folder, real) ? real : throw Refused(path, "it leads outside the input folder");
    }

    private static bool IsBelow(string folder, string path) =>
        path.StartsWith(folder.TrimEnd(Path.DirectorySeparatorChar) + Path.DirectorySeparatorChar, StringComparison.Ordinal);

    // Every part of the path may be a link, and a link may lead to another.
    private static string RealPath(string path)
    {
        var root = Path.GetPathRoot(path) ?? "/";
        var real = root;
        foreach (var part in path[root.Length..].Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries))
        {
            real = Path.Combine(real, part);
            FileSystemInfo entry = Directory.Exists(real) ? new DirectoryInfo(real) : new FileInfo(real);
            if (entry.LinkTarget is not null && entry.ResolveLinkTarget(returnFinalTarget: true) is { } target) real = RealPath(target.FullName);
        }

        return real;
    }

    private static InvalidRequestException Refused(string path, string why) =>
        new("INPUT_PATH", $"'{Predictions.Workspace.Shown(path)}' cannot be read: {why}.");
}
