using System.Diagnostics.Metrics;
using System.Threading.Channels;
using Microsoft.Extensions.Options;

namespace MlOps.Inference.PredictionLog;

/// <summary>
/// The prediction log's way out, on disk before an answer leaves: a record appended here survives the death of the
/// process (kill -9), not a power failure. What waits for the broker is bounded; beyond that the oldest are dropped
/// and counted. Every replica that shares the folder has a journal of its own in it.
/// </summary>
internal sealed partial class Journal : IDisposable
{
    private const int MaxReplicas = 256;
    private const int MaxOpenBehind = 8;
    private readonly Lock _lock = new();
    private readonly LinkedList<JournalSegment> _closed = [];
    private readonly Channel<bool> _hasRecords = Signal();
    private readonly Channel<bool> _isFull = Signal();
    private readonly InferenceOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger<Journal> _logger;
    private readonly FileStream _ownership;
    private readonly string _folder;
    private readonly Counter<long> _dropped;
    private JournalSegment? _open;
    private JournalSegment? _spare;
    private bool _isDisposed;
    private long _closedBytes;

    public Journal(
        IConfiguration configuration, IOptions<InferenceOptions> options, InferenceTelemetry telemetry, TimeProvider time,
        ILogger<Journal> logger)
    {
        (_options, _time, _logger) = (options.Value, time, logger);
        _dropped = telemetry.Meter.CreateCounter<long>(
            "mlops.inference.log.dropped", "{record}", "Prediction records lost: backlog over its bound, larger than a message, or disk failure");
        telemetry.Meter.CreateObservableGauge(
            "mlops.inference.log.backlog", () => BacklogBytes, "By", "Prediction log waiting for the broker");
        var storage = configuration["Storage:Folder"] ?? throw new InvalidOperationException("Storage:Folder is not set.");
        (_folder, _ownership) = Own(Path.Combine(storage, "journal"));
        foreach (var path in Directory.EnumerateFiles(_folder, $"*{JournalSegment.Extension}").Order(StringComparer.Ordinal))
        {
            Enqueue(JournalSegment.Recover(path));
        }

        DeleteRefusedOverBound();
    }

    public long BacklogBytes
    {
        get
        {
            lock (_lock) return _closedBytes + (_open?.Bytes ?? 0);
        }
    }

    /// <summary>Appends one framed record. A disk that refuses it costs the record, counted, never the prediction.</summary>
    public void Append(ReadOnlySpan<byte> frame)
    {
        lock (_lock)
        {
            if (_open?.HasRoomFor(frame.Length) == false) CloseFull();
            try
            {
                if (_open is null)
                {
                    (_open, _spare) = (_spare ?? NewSegment(), null);
                    _hasRecords.Writer.TryWrite(true);
                }

                _open.Append(frame);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                _dropped.Add(1);
                LogNotWritten(e.Message);
                // Half a record in an empty segment would stand before what comes next.
                if (_open is { Records: 0 } empty)
                {
                    _open = null;
                    Discard(empty);
                }

                return;
            }

            if (_open.Bytes >= _options.JournalSegmentBytes) CloseFull();
        }
    }

    /// <summary>Makes the next segment ahead, so that no request waits for a file to be made.</summary>
    public void Prepare()
    {
        lock (_lock)
        {
            if (_spare is not null || _isDisposed) return;
        }

        var spare = NewSegment();
        try
        {
            spare.Prepare();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Whoever appends finds out by himself.
            Discard(spare);
            return;
        }

        lock (_lock)
        {
            if (_spare is null && !_isDisposed)
            {
                _spare = spare;
                return;
            }
        }

        Discard(spare);
    }

    /// <summary>Waits until there is something to publish and it is due, by size or age.</summary>
    public async Task WaitUntilDueAsync(CancellationToken ct)
    {
        await _hasRecords.Reader.ReadAsync(ct);
        using var age = new CancellationTokenSource(_options.JournalSegmentAge, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, age.Token);
        try
        {
            await _isFull.Reader.ReadAsync(either.Token);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            // Due by age.
        }
    }

    /// <summary>Closes the segment records go to, so that it can be published.</summary>
    public void Close()
    {
        lock (_lock) CloseOpen();
    }

    /// <summary>The oldest closed segment, no longer to be dropped; null: none waits, or somebody has it already.</summary>
    public JournalSegment? TakeOldest()
    {
        JournalSegment oldest;
        lock (_lock)
        {
            if (_closed.First is not { Value.IsPublishing: false } first) return null;
            oldest = first.Value;
            oldest.IsPublishing = true;
        }

        // Here, where no request waits for it.
        CutOff(oldest);
        return oldest;
    }

    /// <summary>The broker has it (deleted), or it waits on.</summary>
    public void Return(JournalSegment segment, bool isPublished)
    {
        lock (_lock)
        {
            segment.IsPublishing = false;
            if (!isPublished || !TryForget(segment)) return;
        }

        // Nobody else knows of it any more, and no request waits for the disk.
        Discard(segment);
    }

    /// <summary>Somebody deleted its file: its records are lost.</summary>
    public void CountLost(JournalSegment segment) => _dropped.Add(segment.Records);

    /// <summary>Puts a segment no broker would take out of the way of those behind it; its file stays for people.</summary>
    public void SetAside(JournalSegment segment)
    {
        _dropped.Add(segment.Records);
        try
        {
            if (File.Exists(segment.Path))
                File.Move(segment.Path, Path.ChangeExtension(segment.Path, JournalSegment.RefusedExtension), overwrite: true);
            DeleteRefusedOverBound();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogNotWritten(e.Message);
        }

        Return(segment, isPublished: true);
    }

    private void CloseFull()
    {
        CloseOpen();
        _isFull.Writer.TryWrite(true);
    }

    private void CloseOpen()
    {
        if (_open is not { } open) return;
        _open = null;
        Enqueue(open);
        // The publisher cuts it off; only where that is behind is it done here, so that few files are open.
        if (_closed.Count > MaxOpenBehind) CutOff(open);
        DropOverBound();
    }

    private void CutOff(JournalSegment segment)
    {
        try
        {
            segment.Close();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogNotWritten(e.Message);
        }
    }

    private void Discard(JournalSegment segment)
    {
        if (!segment.Discard()) LogNotDeleted(segment.Path);
    }

    private JournalSegment NewSegment() => new(_folder, Guid.CreateVersion7(_time.GetUtcNow()), _options.JournalSegmentBytes);

    private void Enqueue(JournalSegment segment)
    {
        _closed.AddLast(segment);
        _closedBytes += segment.Bytes;
        if (segment.Records == 0) Remove(segment);
        else _hasRecords.Writer.TryWrite(true);
    }

    private void DropOverBound()
    {
        var oldest = _closed.First;
        while (_closedBytes > _options.JournalMaxBytes && oldest is not null)
        {
            var segment = oldest.Value;
            oldest = oldest.Next;
            if (segment.IsPublishing) continue;
            _dropped.Add(segment.Records);
            Remove(segment);
            LogDropped(segment.Records, _options.JournalMaxBytes);
        }
    }

    // A segment's name begins with the time it was made.
    private void DeleteRefusedOverBound()
    {
        var kept = 0L;
        foreach (var file in new DirectoryInfo(_folder).EnumerateFiles($"*{JournalSegment.RefusedExtension}")
                     .OrderByDescending(f => f.Name, StringComparer.Ordinal))
        {
            kept += file.Length;
            if (kept <= _options.JournalRefusedBytes) continue;
            file.Delete();
            LogRefusedDeleted(file.Name, _options.JournalRefusedBytes);
        }
    }

    private void Remove(JournalSegment segment)
    {
        if (TryForget(segment)) Discard(segment);
    }

    private bool TryForget(JournalSegment segment)
    {
        if (!_closed.Remove(segment)) return false;
        _closedBytes -= segment.Bytes;
        return true;
    }

    // The lock is the kernel's, so it dies with its process and the next one finds what that left.
    private static (string Folder, FileStream Ownership) Own(string journals)
    {
        for (var replica = 0; replica < MaxReplicas; replica++)
        {
            var folder = Path.Combine(journals, replica.ToString(System.Globalization.CultureInfo.InvariantCulture));
            Directory.CreateDirectory(folder);
            try
            {
                return (folder, new FileStream(
                    Path.Combine(folder, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
            }
            catch (IOException)
            {
                // Another replica's.
            }
        }

        throw new InvalidOperationException($"No free journal under {journals}.");
    }

    private static Channel<bool> Signal() => Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    public void Dispose()
    {
        lock (_lock)
        {
            CloseOpen();
            foreach (var segment in _closed.Where(s => !s.IsPublishing)) CutOff(segment);
            if (_spare is not null) Discard(_spare);
            (_spare, _isDisposed) = (null, true);
            _ownership.Dispose();
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Prediction log: the journal cannot be written: {Reason}")]
    private partial void LogNotWritten(string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Prediction log: {File} cannot be deleted; it is published again after the next start, and recognised")]
    private partial void LogNotDeleted(string file);

    [LoggerMessage(Level = LogLevel.Error, Message = "Prediction log: {Records} oldest records dropped, more than {MaxBytes} bytes wait")]
    private partial void LogDropped(int records, long maxBytes);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Prediction log: {File} is deleted, more than {MaxBytes} bytes are set aside")]
    private partial void LogRefusedDeleted(string file, long maxBytes);
}
