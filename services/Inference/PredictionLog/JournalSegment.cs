using Microsoft.Win32.SafeHandles;

namespace MlOps.Inference.PredictionLog;

/// <summary>One file of the journal: a serialised <c>PredictionBatch</c>, whose id is the file's name.</summary>
internal sealed class JournalSegment(string folder, Guid id) : IDisposable
{
    public const string Extension = ".batch";
    public const string RefusedExtension = ".refused";

    /// <summary>Largest segment that is published: base64 of it stays below RabbitMQ's 16 MiB a message.</summary>
    public const int MaxBytes = 11 << 20;

    private SafeFileHandle? _handle;

    public Guid Id => id;

    public string Path { get; } = System.IO.Path.Combine(folder, id.ToString("N") + Extension);

    public long Bytes { get; private set; }

    public int Records { get; private set; }

    /// <summary>Its content is on its way to the broker, so that it may no longer be dropped.</summary>
    public bool IsPublishing { get; set; }

    /// <summary>One write, so that a record is in the file as soon as the process could answer, whatever kills it then.</summary>
    public void Append(ReadOnlySpan<byte> frame)
    {
        _handle ??= File.OpenHandle(Path, FileMode.Create, FileAccess.Write, FileShare.Read);
        // At the known end: what a failed write left there is written over.
        RandomAccess.Write(_handle, frame, Bytes);
        Bytes += frame.Length;
        Records++;
    }

    /// <summary>No more records; the file ends with the last whole one.</summary>
    public void Close()
    {
        if (_handle is null) return;
        if (RandomAccess.GetLength(_handle) != Bytes) RandomAccess.SetLength(_handle, Bytes);
        Dispose();
    }

    /// <summary>A segment a former process left; a torn last record is cut off.</summary>
    public static JournalSegment Recover(string path)
    {
        var name = System.IO.Path.GetFileNameWithoutExtension(path);
        var segment = new JournalSegment(System.IO.Path.GetDirectoryName(path) ?? "", Guid.ParseExact(name, "N"));
        var content = File.ReadAllBytes(path);
        var at = 0;
        while (TryFrame(content.AsSpan(at)) is { } length)
        {
            at += length;
            segment.Records++;
        }

        segment.Bytes = at;
        if (at == content.Length) return segment;
        using var handle = File.OpenHandle(path, FileMode.Open, FileAccess.Write);
        RandomAccess.SetLength(handle, at);
        return segment;
    }

    // 0A, the length as a varint, that many bytes.
    private static int? TryFrame(ReadOnlySpan<byte> content)
    {
        if (content.Length < 2 || content[0] != ((PredictionRecordWriter.RecordsField << 3) | 2)) return null;
        ulong length = 0;
        for (var i = 1; i < content.Length && i <= 5; i++)
        {
            length |= (ulong)(content[i] & 0x7F) << (7 * (i - 1));
            if (content[i] < 0x80) return length <= (ulong)(content.Length - i - 1) ? i + 1 + (int)length : null;
        }

        return null;
    }

    public void Dispose()
    {
        _handle?.Dispose();
        _handle = null;
    }
}
