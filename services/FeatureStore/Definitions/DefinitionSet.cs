using System.Collections.Frozen;
using MlOps.Contracts.Features.V1;
using MlOps.ServiceDefaults;

namespace MlOps.FeatureStore.Definitions;

/// <summary>All definitions at one revision; immutable, with the feature services already resolved for reading.</summary>
internal sealed class DefinitionSet
{
    private readonly FrozenDictionary<string, SelectionPlan> _services;

    public DefinitionSet(
        long revision, IReadOnlyList<Entity> entities, IReadOnlyList<FeatureView> views, IReadOnlyList<FeatureService> services)
    {
        Revision = revision;
        Entities = entities;
        FeatureServices = services;
        var byName = entities.ToDictionary(entity => entity.Name, StringComparer.Ordinal);
        Views = views.Select(view => new ViewDefinition(view, byName[view.Entity]))
            .ToFrozenDictionary(view => view.Name, StringComparer.Ordinal);
        _services = services.ToFrozenDictionary(
            service => service.Name, service => SelectionPlan.Resolve(this, service.Selections), StringComparer.Ordinal);
    }

    public long Revision { get; }

    public IReadOnlyList<Entity> Entities { get; }

    public IReadOnlyList<FeatureService> FeatureServices { get; }

    public FrozenDictionary<string, ViewDefinition> Views { get; }

    public bool TryGetService(string name, out SelectionPlan? plan) => _services.TryGetValue(name, out plan);

    /// <exception cref="NotFoundException">FEATURE_VIEW_UNKNOWN.</exception>
    public ViewDefinition View(string name) => Views.TryGetValue(name, out var view)
        ? view
        : throw new NotFoundException("FEATURE_VIEW_UNKNOWN", $"There is no feature view '{name}'.");
}
