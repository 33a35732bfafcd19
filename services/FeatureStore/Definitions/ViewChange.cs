namespace MlOps.FeatureStore.Definitions;

/// <summary>Names what differs between two definitions of a view in a way that its stored rows cannot follow.</summary>
internal static class ViewChange
{
    public static IEnumerable<string> Differences(ViewDefinition before, ViewDefinition after)
    {
        if (before.Definition.Entity != after.Definition.Entity)
            yield return $"entity ({before.Definition.Entity} → {after.Definition.Entity})";
        if (!before.JoinKeys.SequenceEqual(after.JoinKeys))
            yield return $"join keys ({string.Join(", ", before.JoinKeys)} → {string.Join(", ", after.JoinKeys)})";
        if (before.Definition.EventTimeColumn != after.Definition.EventTimeColumn)
            yield return $"event_time_column ({before.Definition.EventTimeColumn} → {after.Definition.EventTimeColumn})";
        if (before.Definition.KnownAtColumn != after.Definition.KnownAtColumn)
            yield return $"known_at_column ({before.Definition.KnownAtColumn} → {after.Definition.KnownAtColumn})";

        var columns = after.Columns.ToDictionary(field => field.Name, field => field.Type, StringComparer.Ordinal);
        foreach (var field in before.Columns)
            if (!columns.Remove(field.Name, out var type))
                yield return $"schema: {field.Name} is gone";
            else if (type != field.Type)
                yield return $"schema: type of {field.Name} ({field.Type} → {type})";
        foreach (var added in columns.Keys)
            yield return $"schema: {added} is new";
        if (before.WindowMicros != after.WindowMicros)
            yield return $"aggregation: window_seconds ({Seconds(before)} → {Seconds(after)})";
        if (!Equals(before.Definition.Aggregation?.Aggregates, after.Definition.Aggregation?.Aggregates))
            yield return "aggregation: aggregates";
    }

    private static long Seconds(ViewDefinition view) => view.Definition.Aggregation?.WindowSeconds ?? 0;
}
