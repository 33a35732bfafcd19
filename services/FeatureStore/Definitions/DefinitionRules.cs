using System.Text.RegularExpressions;
using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Tables.V1;
using MlOps.ServiceDefaults;

namespace MlOps.FeatureStore.Definitions;

/// <summary>What a definition must be; every violation is reported, not the first.</summary>
internal static partial class DefinitionRules
{
    public const int MostJoinKeys = 8;
    public const int MostColumns = 500;
    public const long LongestSeconds = 100L * 366 * 24 * 3600;

    /// <summary>Checks the request against the definitions as they would be afterwards.</summary>
    /// <exception cref="InvalidRequestException">DEFINITIONS_INVALID with every violation.</exception>
    public static void Check(ApplyRequest request, MergedDefinitions merged)
    {
        var violations = new Violations();
        CheckNames("entities", request.Entities.Select(entity => entity.Name), violations);
        CheckNames("feature_views", request.FeatureViews.Select(view => view.Name), violations);
        CheckNames("feature_services", request.FeatureServices.Select(service => service.Name), violations);
        foreach (var entity in request.Entities)
            CheckEntity(entity, violations);
        // Views and services not in the request as well: what they build on may have changed.
        foreach (var view in merged.FeatureViews.Values)
            CheckView(view, merged, violations);
        foreach (var service in merged.FeatureServices.Values)
            CheckService(service, merged, violations);
        violations.ThrowIfAny("DEFINITIONS_INVALID");
    }

    private static void CheckNames(string kind, IEnumerable<string> names, Violations violations)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var name in names)
        {
            if (!NamePattern().IsMatch(name))
                violations.Add($"{kind}.{name}", "must be 1 to 63 of a-z, 0-9 and _, starting with a letter");
            if (!seen.Add(name))
                violations.Add($"{kind}.{name}", "is defined twice");
        }
    }

    private static void CheckEntity(Entity entity, Violations violations)
    {
        var path = $"entities.{entity.Name}.join_keys";
        if (entity.JoinKeys.Count is 0 or > MostJoinKeys)
            violations.Add(path, $"must be 1 to {MostJoinKeys} columns");
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var key in entity.JoinKeys)
            CheckColumn(path, key, seen, violations);
    }

    private static void CheckView(FeatureView view, MergedDefinitions merged, Violations violations)
    {
        var path = $"feature_views.{view.Name}";
        var columns = new HashSet<string>(StringComparer.Ordinal);
        if (!merged.Entities.TryGetValue(view.Entity, out var entity))
            violations.Add($"{path}.entity", $"there is no entity '{view.Entity}'");
        else
            columns.UnionWith(entity.JoinKeys);

        CheckColumn($"{path}.event_time_column", view.EventTimeColumn, columns, violations);
        if (view.KnownAtColumn.Length > 0)
            CheckColumn($"{path}.known_at_column", view.KnownAtColumn, columns, violations);
        foreach (var field in view.Schema)
        {
            CheckColumn($"{path}.schema", field.Name, columns, violations);
            if (field.Type is <= ColumnType.Unspecified or > ColumnType.Time)
                violations.Add($"{path}.schema.{field.Name}", "must have a type");
        }

        if (view.Schema.Count > MostColumns || view.Schema.Count == 0 && view.Aggregation is null)
            violations.Add($"{path}.schema", $"must be 1 to {MostColumns} columns");
        if (view.TtlSeconds is < 0 or > LongestSeconds)
            violations.Add($"{path}.ttl_seconds", $"must be 0 to {LongestSeconds}");
        if (view.Aggregation is not null)
            CheckAggregation(view, entity, $"{path}.aggregation", violations);
    }

    private static void CheckAggregation(FeatureView view, Entity? entity, string path, Violations violations)
    {
        if (view.Aggregation.WindowSeconds is < 1 or > LongestSeconds)
            violations.Add($"{path}.window_seconds", $"must be 1 to {LongestSeconds}");
        if (view.Aggregation.Aggregates.Count is 0 or > MostColumns)
            violations.Add($"{path}.aggregates", $"must be 1 to {MostColumns}");
        var names = new HashSet<string>(entity?.JoinKeys.AsEnumerable() ?? [], StringComparer.Ordinal);
        foreach (var aggregate in view.Aggregation.Aggregates)
        {
            CheckColumn($"{path}.aggregates", aggregate.Name, names, violations);
            if (aggregate.Function is not (Aggregate.Types.Function.Count or Aggregate.Types.Function.Mean))
                violations.Add($"{path}.aggregates.{aggregate.Name}.function", "must be COUNT or MEAN");
            if (aggregate.Function == Aggregate.Types.Function.Mean && !view.Schema.Any(field =>
                    field.Name == aggregate.Column && field.Type is ColumnType.Double or ColumnType.Integer))
                violations.Add($"{path}.aggregates.{aggregate.Name}.column", "must name a DOUBLE or INTEGER column of the schema");
        }
    }

    private static void CheckService(FeatureService service, MergedDefinitions merged, Violations violations)
    {
        var path = $"feature_services.{service.Name}";
        if (service.Selections.Count == 0)
            violations.Add($"{path}.selections", "must not be empty");
        var outputs = new HashSet<string>(StringComparer.Ordinal);
        for (var index = 0; index < service.Selections.Count; index++)
        {
            var selection = service.Selections[index];
            var selectionPath = $"{path}.selections[{index}]";
            if (!merged.FeatureViews.TryGetValue(selection.FeatureView, out var definition)
                || !merged.Entities.TryGetValue(definition.Entity, out var entity))
            {
                violations.Add($"{selectionPath}.feature_view", $"there is no feature view '{selection.FeatureView}'");
                continue;
            }

            var view = new ViewDefinition(definition, entity);
            foreach (var key in selection.EntityColumns.Keys.Except(view.JoinKeys))
                violations.Add($"{selectionPath}.entity_columns", $"'{key}' is no join key of '{view.Name}'");
            foreach (var feature in selection.Features.Where(feature => view.FeatureIndex(feature) < 0))
                violations.Add($"{selectionPath}.features", $"'{view.Name}' has no feature '{feature}'");
            foreach (var feature in selection.Features.Count > 0 ? selection.Features : view.Features.Select(field => field.Name))
                if (!outputs.Add(selection.Prefix + feature))
                    violations.Add($"{selectionPath}.features", $"'{selection.Prefix + feature}' is the name of another output column");
        }
    }

    private static void CheckColumn(string path, string name, HashSet<string> taken, Violations violations)
    {
        if (!ColumnPattern().IsMatch(name))
            violations.Add($"{path}.{name}", "must be 1 to 63 of a-z, A-Z, 0-9 and _, starting with a letter");
        if (!taken.Add(name))
            violations.Add($"{path}.{name}", "is the name of another column");
    }

    [GeneratedRegex(@"\A[a-z][a-z0-9_]{0,62}\z")]
    private static partial Regex NamePattern();

    [GeneratedRegex(@"\A[a-zA-Z][a-zA-Z0-9_]{0,62}\z")]
    private static partial Regex ColumnPattern();
}
