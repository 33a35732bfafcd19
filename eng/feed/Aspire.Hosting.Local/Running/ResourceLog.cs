using System.Text;

namespace Aspire.Hosting.Local;

/// <summary>A resource's output: appended to a file, of which one older part is kept, and its last lines in memory.</summary>
internal sealed class ResourceLog : IDisposable
{
    private const int TailLength = 15;
    private readonly Lock _lock = new();
    private readonly Queue<string> _tail = new();
    private readonly string _path;
    private readonly long _limit;
    private FileStream? _file;

    /// <param name="path">The file; the older part is beside it, with <c>.1</c> at the end.</param>
    /// <param name="limit">Size in bytes at which a new part begins.</param>
    public ResourceLog(string path, long limit = 8 * 1024 * 1024)
    {
        _path = path;
        _limit = limit;
        _file = Open();
    }

    public IReadOnlyCollection<string> Tail
    {
        get
        {
            lock (_lock)
                return [.. _tail];
        }
    }

    public void Write(string? line)
    {
        if (line is null)
            return;
        lock (_lock)
        {
            if (_tail.Count == TailLength)
                _tail.Dequeue();
            _tail.Enqueue(line);
            if (_file is null)
                return;
            if (_file.Position >= _limit)
            {
                _file.Dispose();
                File.Move(_path, _path + ".1", overwrite: true);
                _file = Open();
            }

            _file.Write(Encoding.UTF8.GetBytes(line + "\n"));
            _file.Flush();
        }
    }

    public void ForgetTail()
    {
        lock (_lock)
            _tail.Clear();
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _file?.Dispose();
            _file = null;
        }
    }

    private FileStream Open() => new(_path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
}
