using MlOps.Contracts.Features.V1;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.BatchJobs.Features;

/// <summary>Finds the columns by which the features of a service are looked up.</summary>
internal sealed class FeatureKeys(FeatureStoreService.FeatureStoreServiceClient store, TimeProvider time)
{
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(10);

    /// <exception cref="InvalidRequestException">FEATURE_SERVICE_UNKNOWN: the model's is not defined (any more).</exception>
    public async Task<string[]> OfAsync(string featureService, CancellationToken ct)
    {
        var all = await store.ListDefinitionsAsync(
            new ListDefinitionsRequest(), deadline: (time.GetUtcNow() + CallTimeout).UtcDateTime, cancellationToken: ct);
        var service = all.FeatureServices.FirstOrDefault(s => s.Name == featureService)
            ?? throw new InvalidRequestException("FEATURE_SERVICE_UNKNOWN", $"FeatureStore has no feature service '{featureService}'.");
        var keys =
            from selection in service.Selections
            let view = all.FeatureViews.First(v => v.Name == selection.FeatureView)
            from key in all.Entities.First(e => e.Name == view.Entity).JoinKeys
            select selection.EntityColumns.GetValueOrDefault(key, key);
        return [.. keys.Distinct(StringComparer.Ordinal)];
    }
}
