using MlOps.Contracts.Features.V1;

namespace MlOps.FeatureStore.Definitions;

/// <summary>The definitions as they would be after a request is applied; nothing in it is checked yet.</summary>
internal sealed class MergedDefinitions
{
    public MergedDefinitions(DefinitionSet current, ApplyRequest request)
    {
        foreach (var entity in current.Entities.Concat(request.Entities))
            Entities[entity.Name] = entity;
        foreach (var view in current.Views.Values.Select(view => view.Definition).Concat(request.FeatureViews))
            FeatureViews[view.Name] = view;
        foreach (var service in current.FeatureServices.Concat(request.FeatureServices))
            FeatureServices[service.Name] = service;
    }

    public Dictionary<string, Entity> Entities { get; } = new(StringComparer.Ordinal);

    public Dictionary<string, FeatureView> FeatureViews { get; } = new(StringComparer.Ordinal);

    public Dictionary<string, FeatureService> FeatureServices { get; } = new(StringComparer.Ordinal);
}
