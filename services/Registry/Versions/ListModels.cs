using MlOps.Contracts.Registry.V1;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Registry.Versions;

/// <summary>All models by name, with their newest version and aliases.</summary>
internal sealed class ListModels(NpgsqlDataSource source)
{
    public Task<List<ListModelsResponse.Types.Model>> HandleAsync(CancellationToken ct) => source.QueryAsync(
        """
        select m.name, m.latest_version,
               coalesce(array_agg(a.alias) filter (where a.alias is not null), '{}'),
               coalesce(array_agg(a.version) filter (where a.alias is not null), '{}')
        from model m
        left join model_alias a on a.model = m.name
        group by m.name
        order by m.name
        """,
        [], Map, ct);

    private static ListModelsResponse.Types.Model Map(NpgsqlDataReader row)
    {
        var model = new ListModelsResponse.Types.Model { Name = row.GetString(0), LatestVersion = row.GetInt32(1) };
        foreach (var (alias, version) in row.GetFieldValue<string[]>(2).Zip(row.GetFieldValue<int[]>(3)))
        {
            model.Aliases[alias] = version;
        }

        return model;
    }
}
