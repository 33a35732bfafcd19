using System.Runtime.CompilerServices;
using Grpc.Core;
using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Tables.V1;
using MlOps.FeatureStore.Definitions;
using MlOps.FeatureStore.Ingestion;
using MlOps.FeatureStore.Offline;
using MlOps.FeatureStore.Online;
using MlOps.ServiceDefaults;

namespace MlOps.FeatureStore;

/// <summary>The gRPC surface: takes streams apart and hands them to the slices.</summary>
internal sealed class FeatureStoreGrpcService(
    ApplyDefinitions apply, DefinitionCatalog catalog, IngestRows ingest, Quarantine quarantine, MaterializeViews materialize,
    ReadOnlineFeatures readOnline, JoinHistoricalFeatures joinHistorical, CreateSnapshot createSnapshot, Snapshots snapshots)
    : FeatureStoreService.FeatureStoreServiceBase
{
    public override Task<ApplyResponse> Apply(ApplyRequest request, ServerCallContext context) =>
        apply.ExecuteAsync(request, context.CancellationToken);

    public override async Task<Contracts.Features.V1.Definitions> ListDefinitions(
        ListDefinitionsRequest request, ServerCallContext context)
    {
        var definitions = await catalog.RefreshAsync(context.CancellationToken);
        return new()
        {
            Entities = { definitions.Entities },
            FeatureViews = { definitions.Views.Values.Select(view => view.Definition).OrderBy(view => view.Name, StringComparer.Ordinal) },
            FeatureServices = { definitions.FeatureServices },
        };
    }

    public override Task<IngestResponse> Ingest(IAsyncStreamReader<IngestRequest> requestStream, ServerCallContext context) =>
        ingest.ExecuteAsync(requestStream.ReadAllAsync(context.CancellationToken), context.CancellationToken);

    public override Task<ListQuarantineResponse> ListQuarantine(ListQuarantineRequest request, ServerCallContext context) =>
        quarantine.ListAsync(request, context.CancellationToken);

    public override Task<MaterializeResponse> Materialize(MaterializeRequest request, ServerCallContext context) =>
        materialize.ExecuteAsync(request, context.CancellationToken);

    public override Task<GetOnlineFeaturesResponse> GetOnlineFeatures(
        GetOnlineFeaturesRequest request, ServerCallContext context) =>
        readOnline.ExecuteAsync(request, context.CancellationToken);

    public override async Task GetHistoricalFeatures(
        IAsyncStreamReader<GetHistoricalFeaturesRequest> requestStream, IServerStreamWriter<Table> responseStream,
        ServerCallContext context)
    {
        var ct = context.CancellationToken;
        var header = await requestStream.MoveNext(ct) ? requestStream.Current.Header : null;
        var tables = RowsAsync(requestStream, request => request.Rows, ct);
        await foreach (var table in joinHistorical.ExecuteAsync(header, tables, ct))
            await responseStream.WriteAsync(table, ct);
    }

    public override async Task<DatasetSnapshot> CreateSnapshot(
        IAsyncStreamReader<CreateSnapshotRequest> requestStream, ServerCallContext context)
    {
        var ct = context.CancellationToken;
        var header = await requestStream.MoveNext(ct) ? requestStream.Current.Header : null;
        return await createSnapshot.ExecuteAsync(header, RowsAsync(requestStream, request => request.Rows, ct), ct);
    }

    public override Task<DatasetSnapshot> GetSnapshot(GetSnapshotRequest request, ServerCallContext context) =>
        snapshots.GetAsync(request.Digest, context.CancellationToken);

    public override Task ReadSnapshot(
        ReadSnapshotRequest request, IServerStreamWriter<Table> responseStream, ServerCallContext context) =>
        snapshots.ReadAsync(
            request.Digest, table => responseStream.WriteAsync(table, context.CancellationToken), context.CancellationToken);

    private static async IAsyncEnumerable<Table> RowsAsync<TRequest>(
        IAsyncStreamReader<TRequest> stream, Func<TRequest, Table?> rowsOf, [EnumeratorCancellation] CancellationToken ct)
    {
        while (await stream.MoveNext(ct))
            yield return rowsOf(stream.Current)
                ?? throw new InvalidRequestException("JOIN_STREAM", "After the header come tables of entity rows, and nothing else.");
    }
}
