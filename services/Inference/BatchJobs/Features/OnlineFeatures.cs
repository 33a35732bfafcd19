using MlOps.Contracts.Features.V1;
using MlOps.Inference.BatchJobs.Rows;
using MlOps.Inference.Models;
using MlOps.Inference.Predictions;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.BatchJobs.Features;

/// <summary>The newest values, from the online store, one call a chunk.</summary>
internal sealed class OnlineFeatures(FeatureLookup lookup, RowPlan plan) : IChunkFeatures
{
    public async Task FillAsync(LoadedModel model, RowChunk chunk, Action<int, string> refuse, CancellationToken ct)
    {
        if (chunk.Count == 0) return;
        var answer = await lookup.FetchAsync(model.FeatureService, FeatureTables.KeysOf(plan, chunk), chunk.Count, ct);
        foreach (var input in plan.LookedUp)
        {
            var slot = chunk.Workspace.Inputs[input];
            var at = PredictRows.IndexOf(answer.Features, slot.Layout.Name);
            if (at < 0)
            {
                throw new InvalidRequestException(
                    "INPUT_COLUMNS", $"'{slot.Layout.Name}' is neither a column of the input nor a feature of '{model.FeatureService}'.");
            }

            var statuses = answer.Statuses[at].Statuses;
            FeatureTables.Fill(
                slot, answer.Features.Columns[at], chunk,
                row => statuses[row] == FeatureStatus.Present ? null : FeatureLookup.WordFor(statuses[row]), refuse);
        }
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
