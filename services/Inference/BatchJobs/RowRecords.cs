using System.Buffers.Binary;
using System.Security.Cryptography;
using Microsoft.Extensions.Options;
using MlOps.Contracts.Inference.V1;
using MlOps.Inference.BatchJobs.Outputs;
using MlOps.Inference.BatchJobs.Rows;
using MlOps.Inference.PredictionLog;
using MlOps.Inference.Predictions;
using MlOps.Numerics.Assignment;

namespace MlOps.Inference.BatchJobs;

/// <summary>
/// What a partition leaves in the prediction log. A record's id follows from the job and its first row, so that rows
/// scored again are in the log once; whether a row is sampled follows from the job and its number.
/// </summary>
internal sealed class RowRecords(Guid job, double rate, MaskingKey key)
{
    private readonly List<byte[]> _records = [];
    private readonly List<int> _taken = [];

    /// <summary>The share a job asks for: 1 all, 0 none.</summary>
    public static double RateOf(PredictionLogging? log) => log?.Mode switch
    {
        PredictionLogging.Types.Mode.None => 0,
        PredictionLogging.Types.Mode.Sampled => log.Rate,
        _ => 1,
    };

    /// <summary>Notes the scored rows that are to be logged, and the ids their predictions have in the log.</summary>
    /// <param name="ids">Takes an id, or an empty one, for each of the rows.</param>
    /// <param name="chunk">Where they came from.</param>
    /// <param name="first">The first of them there.</param>
    /// <param name="scored">Inputs and outputs of them alone.</param>
    /// <param name="call">The call they were scored by.</param>
    /// <param name="now">When.</param>
    /// <param name="latency">How long it took.</param>
    public void Add(
        Span<PredictionRowId> ids, RowChunk chunk, int first, Workspace scored, Call call, DateTimeOffset now,
        TimeSpan latency)
    {
        ids.Clear();
        if (rate <= 0) return;
        _taken.Clear();
        var id = IdOf(chunk.Row(first), 'r');
        for (var row = 0; row < ids.Length; row++)
        {
            if (rate < 1 && !IsTaken(chunk.Row(first + row))) continue;
            ids[row] = new PredictionRowId(id, _taken.Count);
            _taken.Add(row);
        }

        if (_taken.Count == 0) return;
        if (_taken.Count == ids.Length)
        {
            Write(scored, call, id, now, latency);
            return;
        }

        using var sample = scored.Model.RentWorkspace(0);
        var rows = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_taken);
        sample.TakeInputs(scored, rows);
        sample.TakeOutputs(scored.Outputs, ids.Length, rows);
        sample.Check(new());
        Write(sample, call, id, now, latency);
    }

    /// <summary>
    /// Hands the records to the journal. Online predictions come first there: while half of its bound waits for the broker,
    /// a batch waits, too.
    /// </summary>
    public async Task AppendAsync(Journal journal, IOptions<InferenceOptions> options, TimeProvider time, CancellationToken ct)
    {
        foreach (var record in _records)
        {
            while (journal.BacklogBytes > options.Value.JournalMaxBytes / 2) await Task.Delay(TimeSpan.FromMilliseconds(50), time, ct);
            journal.Append(record);
        }
    }

    private void Write(Workspace rows, Call call, Guid id, DateTimeOffset now, TimeSpan latency)
    {
        PredictionRecordWriter.Write(rows, call, new LogEntry(id, now, latency, rate), key);
        _records.Add(rows.Record.Framed(PredictionRecordWriter.RecordsField).ToArray());
        rows.Record.Clear();
    }

    private bool IsTaken(long row) => SampleHash.IsTaken(IdOf(row, 's'), rate);

    // The first 16 bytes of SHA-256 over the purpose, the job and the row, as a version 8 UUID (RFC 9562).
    private Guid IdOf(long row, char purpose)
    {
        Span<byte> name = stackalloc byte[25];
        name[0] = (byte)purpose;
        job.TryWriteBytes(name[1..], bigEndian: true, out _);
        BinaryPrimitives.WriteInt64BigEndian(name[17..], row);
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(name, hash);
        hash[6] = (byte)((hash[6] & 0x0F) | 0x80);
        hash[8] = (byte)((hash[8] & 0x3F) | 0x80);
        return new Guid(hash[..16], bigEndian: true);
    }
}
