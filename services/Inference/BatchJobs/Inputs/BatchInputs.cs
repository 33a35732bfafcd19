using MlOps.Contracts.Inference.V1;
using MlOps.Inference.Models;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Inference.BatchJobs.Inputs;

/// <summary>A job's rows, wherever it says they come from, in the file store.</summary>
internal sealed class BatchInputs(
    NpgsqlDataSource source, StoreInput store, InputFolder folder, QueryText query, SnapshotText snapshot)
{
    /// <exception cref="DomainException">Those of the input's kind.</exception>
    public async Task<StoredInput> ReadAsync(BatchJobSpec spec, LoadedModel model, CancellationToken ct) => spec.InputCase switch
    {
        BatchJobSpec.InputOneofCase.File when TextFormats.Of(spec.File.Format) is { } format =>
            await store.HandleAsync(format, "", folder.ReadAsync(spec.File.Path, ct), ct),
        BatchJobSpec.InputOneofCase.Query =>
            await store.HandleAsync(TextFormat.Csv, "", query.ReadAsync(spec.Query.Connection, spec.Query.Sql, ct), ct),
        BatchJobSpec.InputOneofCase.SnapshotDigest => await store.HandleAsync(
            TextFormat.Csv, "",
            snapshot.ReadAsync(spec.SnapshotDigest, model.Inputs.Select(i => i.Name).ToHashSet(StringComparer.Ordinal), ct), ct),
        _ => await source.InTransactionAsync(transaction => store.FindAsync(transaction, spec.InputDigest, ct), ct)
            ?? throw new NotFoundException("BATCH_INPUT_UNKNOWN", $"There is no input {spec.InputDigest} any more: upload it."),
    };
}
