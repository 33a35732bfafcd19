using System.Globalization;
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

    /// <summary>All definitions as of one moment, which takes one statement.</summary>
    public static async Task<DefinitionSet> LoadAsync(NpgsqlTransaction tx, CancellationToken ct)
    {
        var (revision, entities, views, services) = (0L, new List<Entity>(), new List<FeatureView>(), new List<FeatureService>());
        await tx.QueryAsync(
            """
            select 0, '', revision::text from definitions_revision
            union all select 1, name, definition::text from entities
            union all select 2, name, definition::text from feature_views
            union all select 3, name, definition::text from feature_services
            order by 1, 2
            """,
            [],
            row =>
            {
                var text = row.GetString(2);
                switch (row.GetInt32(0))
                {
                    case 0:
                        revision = long.Parse(text, CultureInfo.InvariantCulture);
                        break;
                    case 1:
                        entities.Add(Parser.Parse<Entity>(text));
                        break;
                    case 2:
                        views.Add(Parser.Parse<FeatureView>(text));
                        break;
                    default:
                        services.Add(Parser.Parse<FeatureService>(text));
                        break;
                }

                return true;
            },
            ct);
        return new(revision, entities, views, services);
    }

    /// <summary>The view as it is, kept from changing its shape until the transaction ends.</summary>
    /// <exception cref="NotFoundException">FEATURE_VIEW_UNKNOWN.</exception>
    public static async Task<ViewDefinition> LockViewAsync(NpgsqlTransaction tx, string name, CancellationToken ct)
    {
        // Two statements: the second sees what a change that the first had to wait for has left, of the entity too.
        await tx.ExecuteAsync("select from feature_views where name = $1 for key share", [name], ct);
        var found = await tx.QueryAsync(
            """
            select v.definition::text, e.definition::text
            from feature_views v join entities e on e.name = v.entity
            where v.name = $1
            """,
            [name],
            row => new ViewDefinition(Parser.Parse<FeatureView>(row.GetString(0)), Parser.Parse<Entity>(row.GetString(1))),
            ct);
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
}
