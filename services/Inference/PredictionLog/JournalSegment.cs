using System.Buffers;
using System.IO.MemoryMappedFiles;
using Microsoft.Win32.SafeHandles;

namespace MlOps.Inference.PredictionLog;

/// <summary>
/// One file of the journal: a serialised <c>PredictionBatch</c>, whose id is the file's name. While it is open its memory is mapped: a
/// record costs a copy instead of a call of the kernel, and is the kernel's all the same as soon as it is copied. Zeros follow
/// the last record then; closing cuts them off.
/// </summary>
/// <param name="folder">Where it lies.</param>
/// <param name="id">Of the batch.</param>
/// <param name="capacity">Bytes of records it takes; a larger record may be the only one of a segment.</param>
internal sealed class JournalSegment(string folder, Guid id, int capacity) : IDisposable
{
    public const string Extension = ".batch";
    public const string RefusedExtension = ".refused";

    /// <summary>Largest segment that is published: base64 of it stays below RabbitMQ's 16 MiB a message.</summary>
    public const int MaxBytes = 11 << 20;

    private SafeFileHandle? _handle;
    private SafeMemoryMappedViewHandle? _view;

    public Guid Id => id;

    public string Path { get; } = System.IO.Path.Combine(folder, id.ToString("N") + Extension);

    public long Bytes { get; private set; }

    public int Records { get; private set; }

    /// <summary>Its content is on its way to the broker, so that it may no longer be dropped.</summary>
    public bool IsPublishing { get; set; }

    public bool HasRoomFor(int bytes) => Records == 0 || bytes <= capacity - Bytes;

    /// <summary>Makes the file and its pages, for records that fit.</summary>
    public void Prepare()
    {
        Open(isMapped: true);
        // Each page is the kernel's from here on; else every first record on one would wait for that.
        for (var page = 0; page < capacity; page += Environment.SystemPageSize) _view!.Write((ulong)page, (byte)0); // Open has set it.
    }

    /// <summary>The record is in the file as soon as this returns, whatever kills the process then.</summary>
    /// <param name="frame">0A, length, record: it ends up whole, or behind zeros that a recovery cuts off.</param>
    public void Append(ReadOnlySpan<byte> frame)
    {
        if (_handle is null) Open(isMapped: frame.Length <= capacity);
        if (frame.Length > capacity) Unmap();
        if (_view is null)
        {
            RandomAccess.Write(_handle!, frame, 0); // Open has set it, and nothing else is in the file.
        }
        else
        {
            // The tag last: a copy that death cuts short has none, and ends the file.
            _view.WriteSpan((ulong)Bytes + 1, frame[1..]);
            Volatile.WriteBarrier();
            _view.Write((ulong)Bytes, frame[0]);
        }

        Bytes += frame.Length;
        Records++;
    }

    /// <summary>No more records; the file ends with the last whole one.</summary>
    public void Close()
    {
        if (_handle is null) return;
        // Not the accessor: that would wait for the disk.
        _view?.Dispose();
        if (RandomAccess.GetLength(_handle) != Bytes) RandomAccess.SetLength(_handle, Bytes);
        Dispose();
    }

    /// <summary>Deletes the file. One that a disk does not let go of stays, and is published again under the same id after the next start.</summary>
    /// <returns>False: it is still there.</returns>
    public bool Discard()
    {
        Dispose();
        try
        {
            File.Delete(Path);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A folder that is gone took the file with it.
            return e is DirectoryNotFoundException;
        }
    }

    private void Open(bool isMapped)
    {
        var handle = File.OpenHandle(Path, FileMode.Create, FileAccess.ReadWrite, FileShare.Read);
        try
        {
            if (isMapped) _view = Map(handle, capacity);
            _handle = handle;
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    // Zeros are written first: a disk without room says so here, where a mapped hole would kill the process later.
    private static SafeMemoryMappedViewHandle Map(SafeFileHandle handle, int capacity)
    {
        var zeros = ArrayPool<byte>.Shared.Rent(capacity);
        try
        {
            zeros.AsSpan(0, capacity).Clear();
            RandomAccess.Write(handle, zeros.AsSpan(0, capacity), 0);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(zeros);
        }

        using var file = MemoryMappedFile.CreateFromFile(
            handle, null, capacity, MemoryMappedFileAccess.ReadWrite, HandleInheritability.None, leaveOpen: true);
        // Its handle keeps the mapping; the accessor itself has nothing to dispose of.
        return file.CreateViewAccessor(0, capacity).SafeMemoryMappedViewHandle;
    }

    /// <summary>A segment a former process left; a torn last record is cut off.</summary>
    public static JournalSegment Recover(string path)
    {
        var name = System.IO.Path.GetFileNameWithoutExtension(path);
        var segment = new JournalSegment(System.IO.Path.GetDirectoryName(path) ?? "", Guid.ParseExact(name, "N"), 0);
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

    private void Unmap()
    {
        _view?.Dispose();
        _view = null;
    }

    public void Dispose()
    {
        Unmap();
        _handle?.Dispose();
        _handle = null;
    }
}
