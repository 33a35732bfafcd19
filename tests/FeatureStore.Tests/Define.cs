using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Tables.V1;

namespace MlOps.FeatureStore.Tests;

/// <summary>Short forms of definitions.</summary>
internal static class Define
{
    public static readonly Entity Airport = Entity("airport", "airport");

    public static Entity Entity(string name, params string[] keys) => new() { Name = name, JoinKeys = { keys } };

    public static Field Double(string name) => new() { Name = name, Type = ColumnType.Double };

    public static Field Field(string name, ColumnType type) => new() { Name = name, Type = type };

    /// <summary>A view of rows over <see cref="Airport"/> with columns <c>at</c> and, when known, <c>known</c>.</summary>
    public static FeatureView View(string name, long ttl = 0, bool known = false, string entity = "airport", params Field[] fields) => new()
    {
        Name = name,
        Entity = entity,
        EventTimeColumn = "at",
        KnownAtColumn = known ? "known" : "",
        TtlSeconds = ttl,
        Schema = { fields.Length > 0 ? fields : [Double("value")] },
    };

    /// <summary>A view that counts rows and averages <c>value</c> over a window.</summary>
    public static FeatureView Window(string name, long seconds, long ttl = 0)
    {
        var view = View(name, ttl, known: true);
        view.Aggregation = new()
        {
            WindowSeconds = seconds,
            Aggregates =
            {
                new Aggregate { Name = "rows", Function = Aggregate.Types.Function.Count },
                new Aggregate { Name = "mean", Function = Aggregate.Types.Function.Mean, Column = "value" },
            },
        };
        return view;
    }

    public static FeatureService Service(string name, params FeatureSelection[] selections) =>
        new() { Name = name, Selections = { selections } };

    public static FeatureSelection Select(string view, string prefix = "", string? airport = null, params string[] features)
    {
        var selection = new FeatureSelection { FeatureView = view, Prefix = prefix, Features = { features } };
        if (airport is not null)
            selection.EntityColumns["airport"] = airport;
        return selection;
    }

    public static ApplyRequest Request(params object[] definitions) => new()
    {
        Entities = { definitions.OfType<Entity>() },
        FeatureViews = { definitions.OfType<FeatureView>() },
        FeatureServices = { definitions.OfType<FeatureService>() },
    };
}
