using Google.Protobuf;
using MlOps.Contracts.Features.V1;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.FeatureStore.Definitions;

/// <summary>Definitions in PostgreSQL, kept as the JSON form of their messages.</summary>
internal static class DefinitionStore
{
    // A newer release may have written fields this one does not know.
    private static readonly JsonParser Parser = new(JsonParser.Settings.Default.WithIgnoreUnknownFields(true));

    /// <summary>All definitions as of one moment.</summary>
    public static async Task<DefinitionSet> LoadAsync(NpgsqlTransaction tx, CancellationToken ct)
    {
        // The revision first: definitions newer than it only cause one more load.
        var revision = await RevisionAsync(tx, ct);
        var entities = await ReadAsync<Entity>(tx, "select definition::text from entities order by name", ct);
        var views = await ReadAsync<FeatureView>(tx, "select definition::text from feature_views order by name", ct);
        var services = await ReadAsync<FeatureService>(tx, "select definition::text from feature_services order by name", ct);
        return new(revision, entities, views, services);
    }

    /// <summary>The view as it is, kept from changing until the transaction ends.</summary>
    /// <exception cref="NotFoundException">FEATURE_VIEW_UNKNOWN.</exception>
    public static async Task<ViewDefinition> LockViewAsync(NpgsqlTransaction tx, string name, CancellationToken ct)
    {
        const string Sql = """
            select v.definition::text, e.definition::text
            from feature_views v join entities e on e.name = v.entity
            where v.name = $1 for share
            """;
        var found = await tx.QueryAsync(Sql, [name], row => new ViewDefinition(
            Parser.Parse<FeatureView>(row.GetString(0)), Parser.Parse<Entity>(row.GetString(1))), ct);
        return found is [var view]
            ? view
            : throw new NotFoundException("FEATURE_VIEW_UNKNOWN", $"There is no feature view '{name}'.");
    }

    public static Task<int> WriteEntityAsync(NpgsqlTransaction tx, Entity entity, DateTime now, CancellationToken ct) =>
        tx.ExecuteAsync(
            """
            insert into entities (name, definition, updated_at) values ($1, $2::jsonb, $3)
            on conflict (name) do update set definition = excluded.definition, updated_at = excluded.updated_at
            """,
            [entity.Name, JsonFormatter.Default.Format(entity), now], ct);

    public static Task<int> WriteViewAsync(NpgsqlTransaction tx, FeatureView view, DateTime now, CancellationToken ct) =>
        tx.ExecuteAsync(
            """
            insert into feature_views (name, entity, definition, updated_at) values ($1, $2, $3::jsonb, $4)
            on conflict (name) do update
            set entity = excluded.entity, definition = excluded.definition, updated_at = excluded.updated_at
            """,
            [view.Name, view.Entity, JsonFormatter.Default.Format(view), now], ct);

    public static Task<int> WriteServiceAsync(NpgsqlTransaction tx, FeatureService service, DateTime now, CancellationToken ct) =>
        tx.ExecuteAsync(
            """
            insert into feature_services (name, definition, updated_at) values ($1, $2::jsonb, $3)
            on conflict (name) do update set definition = excluded.definition, updated_at = excluded.updated_at
            """,
            [service.Name, JsonFormatter.Default.Format(service), now], ct);

    private static async Task<long> RevisionAsync(NpgsqlTransaction tx, CancellationToken ct) =>
        (await tx.QueryAsync("select revision from definitions_revision", [], row => row.GetInt64(0), ct))[0];

    private static Task<List<T>> ReadAsync<T>(NpgsqlTransaction tx, string sql, CancellationToken ct)
        where T : IMessage, new() => tx.QueryAsync(sql, [], row => Parser.Parse<T>(row.GetString(0)), ct);
}
