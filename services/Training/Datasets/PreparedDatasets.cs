using Google.Protobuf;
using MlOps.Contracts.Training.V1;
using MlOps.Training.Trainers;

namespace MlOps.Training.Datasets;

/// <summary>Prepared datasets of the runs at hand: prepared once however many trials ask at once, the last two are kept.</summary>
internal sealed class PreparedDatasets(SnapshotFolder snapshots) : IDisposable
{
    internal const int Kept = 2;

    private readonly SemaphoreSlim _gate = new(1);
    private readonly LinkedList<(string Key, PreparedDataset Dataset)> _recent = [];

    internal async Task<PreparedDataset> GetAsync(Pipeline pipeline, ITrainer trainer, CancellationToken ct)
    {
        var key = KeyOf(pipeline, trainer);
        await _gate.WaitAsync(ct);
        try
        {
            var entry = _recent.FirstOrDefault(candidate => candidate.Key == key);
            if (entry.Dataset is null)
            {
                var tables = await snapshots.ReadAsync(pipeline.DatasetDigest, ct);
                entry = (key, PrepareDataset.Of(Snapshot.Of(tables, pipeline), pipeline, trainer.NeedsCompleteInputs));
            }
            _recent.Remove(entry);
            _recent.AddFirst(entry);
            if (_recent.Count > Kept) _recent.RemoveLast();
            return entry.Dataset;
        }
        finally
        {
            _gate.Release();
        }
    }

    public void Dispose() => _gate.Dispose();

    /// <summary>All of the pipeline that the rows and their encoding depend on.</summary>
    private static string KeyOf(Pipeline pipeline, ITrainer trainer) => JsonFormatter.Default.Format(new Pipeline
    {
        DatasetDigest = pipeline.DatasetDigest,
        LabelColumn = pipeline.LabelColumn,
        TimeColumn = pipeline.TimeColumn,
        Inputs = { pipeline.Inputs },
        Split = pipeline.Split,
        Trainer = trainer.NeedsCompleteInputs ? "complete" : "",
    });
}
