using Grpc.Core;
using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Tables.V1;
using MlOps.Inference.BatchJobs.Rows;
using MlOps.Inference.Models;
using MlOps.Inference.Predictions;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.BatchJobs.Features;

/// <summary>
/// Values as known at a past time, by the feature store's point-in-time join: one stream a partition, which sees the store
/// as it was when the stream began.
/// </summary>
/// <param name="store">The feature store.</param>
/// <param name="plan">Names the key columns.</param>
/// <param name="asOfMicros">The time of all rows; null: each row has its own.</param>
internal sealed class PastFeatureJoin(FeatureStoreService.FeatureStoreServiceClient store, RowPlan plan, long? asOfMicros) : IChunkFeatures
{
    // Not a name that rows would have.
    private const string TimeColumn = "mlops_as_of";
    private AsyncDuplexStreamingCall<GetHistoricalFeaturesRequest, Table>? _call;

    public async Task FillAsync(LoadedModel model, RowChunk chunk, Action<int, string> refuse, CancellationToken ct)
    {
        if (chunk.Count == 0) return;
        var joined = await JoinAsync(model, chunk, ct);
        foreach (var input in plan.LookedUp)
        {
            var slot = chunk.Workspace.Inputs[input];
            var at = PredictRows.IndexOf(joined, slot.Layout.Name);
            if (at < 0 || Columns.CountOf(joined.Columns[at]) != chunk.Count)
            {
                throw new InvalidRequestException(
                    "INPUT_COLUMNS", $"'{slot.Layout.Name}' is neither a column of the input nor a feature of '{model.FeatureService}'.");
            }

            var column = joined.Columns[at];
            FeatureTables.Fill(slot, column, chunk, row => Columns.IsMissing(column, row) ? "it had no value then" : null, refuse);
        }
    }

    private async Task<Table> JoinAsync(LoadedModel model, RowChunk chunk, CancellationToken ct)
    {
        if (_call is null)
        {
            _call = store.GetHistoricalFeatures(cancellationToken: ct);
            await _call.RequestStream.WriteAsync(
                new GetHistoricalFeaturesRequest
                {
                    Header = new HistoricalHeader { FeatureService = model.FeatureService, EventTimeColumn = TimeColumn },
                },
                ct);
        }

        var rows = FeatureTables.KeysOf(plan, chunk);
        var times = new TimeValues();
        for (var row = 0; row < chunk.Count; row++) times.Values.Add(asOfMicros ?? chunk.Times[row]);
        rows.Columns.Add(new Column { Name = TimeColumn, Times = times });
        await _call.RequestStream.WriteAsync(new GetHistoricalFeaturesRequest { Rows = rows }, ct);
        return await _call.ResponseStream.MoveNext(ct)
            ? _call.ResponseStream.Current
            : throw new RpcException(new Status(StatusCode.Unavailable, "The feature store ended the join early."));
    }

    public ValueTask DisposeAsync()
    {
        // Cancels what is under way; there is nothing more to be asked.
        _call?.Dispose();
        return ValueTask.CompletedTask;
    }
}
