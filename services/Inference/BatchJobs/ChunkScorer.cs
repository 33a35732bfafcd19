using Grpc.Core;
using MlOps.Inference.BatchJobs.Outputs;
using MlOps.Inference.BatchJobs.Rows;
using MlOps.Inference.Models;
using MlOps.Inference.Predictions;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.BatchJobs;

/// <summary>
/// Scores chunks of one partition and writes their rows, in order. Where the model refuses a chunk its halves are tried,
/// down to the row that is to blame.
/// </summary>
internal sealed class ChunkScorer(
    Predictor predictor, LoadedModel model, IRowWriter writer, OutputText output, RowRecords records, Action<RowChunk, int, string> refuse,
    TimeProvider time)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);
    private PredictionRowId[] _ids = [];

    /// <summary>Rows written so far.</summary>
    public long Rows { get; private set; }

    /// <exception cref="InvalidRequestException">OUTPUT_SHAPE: the model's outputs are not a row's each.</exception>
    public async Task ScoreAsync(RowChunk chunk, CancellationToken ct)
    {
        if (chunk.Count > 0) await ScoreAsync(chunk, 0, chunk.Workspace, chunk.Count, ct);
    }

    private async Task ScoreAsync(RowChunk chunk, int first, Workspace rows, int count, CancellationToken ct)
    {
        var call = new Call("batch", "", "", "", time.GetTimestamp()) { IsLogged = false, MayFallBack = false };
        try
        {
            rows.Check(new Violations());
            await PredictAsync(rows, call, ct);
        }
        catch (InvalidRequestException e) when (count == 1)
        {
            refuse(chunk, first, e.Message);
            return;
        }
        catch (InvalidRequestException)
        {
            var half = count / 2;
            await ScorePartAsync(chunk, first, half, ct);
            await ScorePartAsync(chunk, first + half, count - half, ct);
            return;
        }

        Write(chunk, first, rows, count, call);
    }

    private async Task ScorePartAsync(RowChunk chunk, int first, int count, CancellationToken ct)
    {
        using var part = model.RentWorkspace(time.GetTimestamp());
        part.TakeInputs(chunk.Workspace, [.. Enumerable.Range(first, count)]);
        await ScoreAsync(chunk, first, part, count, ct);
    }

    // A batch has time: what is shed under load is tried again, and again.
    private async Task PredictAsync(Workspace rows, Call call, CancellationToken ct)
    {
        while (true)
        {
            try
            {
                await predictor.PredictAsync(model, rows, call, ct);
                return;
            }
            catch (RpcException e) when (e.StatusCode == StatusCode.ResourceExhausted)
            {
                await Task.Delay(Pause, time, ct);
            }
        }
    }

    private void Write(RowChunk chunk, int first, Workspace rows, int count, Call call)
    {
        foreach (var slot in rows.Outputs)
        {
            if (slot.Count == (long)count * slot.Layout.RowWidth) continue;
            throw new InvalidRequestException(
                "OUTPUT_SHAPE", $"Output '{slot.Layout.Name}' has {slot.Count} values for {count} rows, where {slot.Layout.ShapeText} promises {slot.Layout.RowWidth} each.");
        }

        if (_ids.Length < count) _ids = new PredictionRowId[count];
        var ids = _ids.AsSpan(0, count);
        records.Add(ids, chunk, first, rows, call, time.GetUtcNow(), time.GetElapsedTime(call.StartedAt));
        for (var at = 0; at < count; at++) writer.Write(output, chunk, first + at, rows.Outputs, at, ids[at]);
        Rows += count;
    }
}
