namespace MlOps.FeatureStore.Definitions;

/// <summary>SQL for "these entities": one array parameter per join key, $1 first, all of one length.</summary>
internal static class KeyArrays
{
    /// <summary>A source named <c>key</c> with the columns <c>k0, k1, …, ordinal</c> (from 1), and the condition that ties it to a table.</summary>
    public static (string From, string On) Join(ViewDefinition view, string table)
    {
        var numbers = Enumerable.Range(0, view.JoinKeys.Count).ToList();
        var arrays = string.Join(", ", numbers.Select(number => $"${number + 1}::text[]"));
        var names = string.Join(", ", numbers.Select(number => $"k{number}"));
        var conditions = numbers.Select(number => $"{table}.{ViewTables.Quote(view.JoinKeys[number])} = key.k{number}");
        return ($"unnest({arrays}) with ordinality as key({names}, ordinal)", string.Join(" and ", conditions));
    }
}
