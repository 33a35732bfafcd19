using System.Buffers;
using System.Globalization;
using System.Threading.Channels;
using Microsoft.Extensions.Options;
using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Inference.V1;
using MlOps.Inference.BatchJobs.Features;
using MlOps.Inference.BatchJobs.Files;
using MlOps.Inference.BatchJobs.Inputs;
using MlOps.Inference.BatchJobs.Outputs;
using MlOps.Inference.BatchJobs.Rows;
using MlOps.Inference.Models;
using MlOps.Inference.PredictionLog;
using MlOps.Inference.Predictions;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.BatchJobs;

/// <summary>
/// Reads a partition, scores it and puts its part of the output in place. While one chunk is scored and written the next
/// is read.
/// </summary>
internal sealed class PartitionScorer(
    IBatchFiles files, ModelHost host, Predictor predictor, FeatureLookup lookup, FeatureStoreService.FeatureStoreServiceClient store,
    TableTarget tables, Journal journal, MaskingKey key, IOptions<BatchOptions> options, IOptions<InferenceOptions> inference, TimeProvider time)
{
    private const int ChunksAtOnce = 3;

    public async Task<ScoredPartition> ScoreAsync(TakenPartition partition, PartitionProgress progress, CancellationToken ct)
    {
        using var lease = await host.AcquireAsync(
            partition.Spec.Model, partition.Version.ToString(CultureInfo.InvariantCulture), ct);
        var length = partition.Place.Length;
        var text = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            await files.ReadAsync(partition.InputFile, partition.Place.Offset, text.AsMemory(0, length), ct);
            return await ScoreAsync(partition, lease.Model, text.AsMemory(0, length), progress, ct);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(text);
        }
    }

    /// <summary>Output columns and format of a job.</summary>
    public static IRowWriter WriterOf(BatchJobSpec spec, TextFormat input, LoadedModel model)
    {
        var columns = new OutputColumns([.. spec.KeepColumns], model.Outputs, RowRecords.RateOf(spec.Log) > 0);
        var isTable = spec.OutputCase == BatchJobSpec.OutputOneofCase.Table;
        return isTable || (TextFormats.Of(spec.FileFormat) ?? input) == TextFormat.Csv ? new CsvRowWriter(columns) : new JsonRowWriter(columns);
    }

    private async Task<ScoredPartition> ScoreAsync(
        TakenPartition partition, LoadedModel model, ReadOnlyMemory<byte> text, PartitionProgress progress, CancellationToken ct)
    {
        var spec = partition.Spec;
        var plan = RowPlan.Of(
            model, partition.Columns, [.. spec.KeepColumns], partition.Keys, spec.PastFeatures?.AsOfColumn ?? "", new Violations());
        var faults = new FaultList();
        var output = new OutputText(text.Length + 4096);
        var records = new RowRecords(partition.Job, RowRecords.RateOf(spec.Log), key);
        await using var features = FeaturesOf(partition, plan);
        var scorer = new ChunkScorer(
            predictor, model, WriterOf(spec, partition.Format, model), output, records, Refuse, time);
        var reader = new RowReader(partition.Format, text, partition.Place, plan, faults.Add);
        await RunAsync(
            reader, () => new RowChunk(model, plan, ChunkRows(plan, model)),
            async chunk =>
            {
                if (features is not null)
                {
                    await features.FillAsync(model, chunk, (row, reason) => Refuse(chunk, row, reason), ct);
                    chunk.RemoveBad();
                }

                await scorer.ScoreAsync(chunk, ct);
                progress.Done(chunk.RowsRead);
            },
            ct);
        await PutAsync(partition, model, output, ct);
        await records.AppendAsync(journal, inference, time, ct);
        return new ScoredPartition(scorer.Rows, faults.All);

        void Refuse(RowChunk chunk, int row, string reason)
        {
            if (chunk.IsBad[row]) return;
            chunk.IsBad[row] = true;
            faults.Add(RowFault.Of(chunk.Row(row), chunk.Line(row), reason, text.Span[chunk.Content(row)]));
        }
    }

    /// <summary>Two workers over a few chunks that go round: one reads, one scores.</summary>
    internal static async Task RunAsync(RowReader reader, Func<RowChunk> make, Func<RowChunk, Task> score, CancellationToken ct)
    {
        var empty = Channel.CreateUnbounded<RowChunk>();
        var full = Channel.CreateUnbounded<RowChunk>();
        RowChunk[] chunks = [.. Enumerable.Range(0, ChunksAtOnce).Select(_ => make())];
        foreach (var chunk in chunks) empty.Writer.TryWrite(chunk);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var reading = Task.Run(() => ReadAsync(reader, empty.Reader, full.Writer, stop.Token), CancellationToken.None);
        try
        {
            await foreach (var chunk in full.Reader.ReadAllAsync(ct))
            {
                await score(chunk);
                empty.Writer.TryWrite(chunk);
            }
        }
        finally
        {
            await stop.CancelAsync();
            await reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            foreach (var chunk in chunks) chunk.Dispose();
        }

        await reading;
    }

    private static async Task ReadAsync(
        RowReader reader, ChannelReader<RowChunk> empty, ChannelWriter<RowChunk> full, CancellationToken ct)
    {
        try
        {
            while (await empty.WaitToReadAsync(ct) && empty.TryRead(out var chunk) && reader.TryFill(chunk)) full.TryWrite(chunk);
        }
        finally
        {
            full.TryComplete();
        }
    }

    private IChunkFeatures? FeaturesOf(TakenPartition partition, RowPlan plan)
    {
        if (plan.LookedUp.Length == 0) return null;
        return partition.Spec.PastFeatures switch
        {
            null => new OnlineFeatures(lookup, plan),
            { TimeCase: PastFeatures.TimeOneofCase.AsOfColumn } => new PastFeatureJoin(store, plan, null),
            { TimeCase: PastFeatures.TimeOneofCase.AsOfSchedule } =>
                new PastFeatureJoin(store, plan, BatchJobRows.Micros(partition.ScheduledFor ?? time.GetUtcNow())),
            var past => new PastFeatureJoin(store, plan, past.AsOfMicros),
        };
    }

    // Never more values than the log, or the feature store, takes at once.
    private int ChunkRows(RowPlan plan, LoadedModel model)
    {
        var values = 1 + model.Inputs.Sum(i => (long)i.RowWidth);
        var most = inference.Value.MaxRequestValues / (values + model.Outputs.Sum(o => (long)o.RowWidth));
        if (plan.LookedUp.Length > 0) most = Math.Min(most, PredictRows.MaxCells / (values + plan.Keys.Length));
        return (int)Math.Clamp(most, 1, options.Value.ChunkRows);
    }

    private async Task PutAsync(TakenPartition partition, LoadedModel model, OutputText output, CancellationToken ct)
    {
        if (partition.Spec.OutputCase == BatchJobSpec.OutputOneofCase.Table)
        {
            await tables.PutPartAsync(partition, model, output.Written, ct);
            return;
        }

        await files.WriteAsync(
            PartFile.Of(partition.Job, partition.Number), async stream => await stream.WriteAsync(output.Written, ct), ct);
    }

    /// <summary>The reader adds to it beside the scorer.</summary>
    private sealed class FaultList
    {
        private readonly Lock _lock = new();
        private readonly List<RowFault> _faults = [];

        public IReadOnlyList<RowFault> All => _faults;

        public void Add(RowFault fault)
        {
            lock (_lock) _faults.Add(fault);
        }
    }
}
