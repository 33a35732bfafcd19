using MlOps.Contracts.Registry.V1;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Registry.Versions;

/// <summary>A version by its number or alias; without either the champion, or the newest while there is no champion.</summary>
internal sealed class GetModelVersion(NpgsqlDataSource source)
{
    private const string ByVersion = VersionRows.Select + "where v.model = $1 and v.version = $2";

    private const string ByAlias = VersionRows.Select +
        "where v.model = $1 and v.version = (select version from model_alias where model = $1 and alias = $2)";

    private const string ByDefault = VersionRows.Select +
        """
        where v.model = $1 and v.version = coalesce(
            (select version from model_alias where model = $1 and alias = 'champion'),
            (select latest_version from model where name = $1))
        """;

    /// <exception cref="NotFoundException">MODEL_UNKNOWN, VERSION_UNKNOWN, ALIAS_UNKNOWN</exception>
    public async Task<ModelVersion> HandleAsync(GetModelVersionRequest request, CancellationToken ct)
    {
        (string sql, object?[] parameters) = request.SelectorCase switch
        {
            GetModelVersionRequest.SelectorOneofCase.Version => (ByVersion, new object?[] { request.Model, request.Version }),
            GetModelVersionRequest.SelectorOneofCase.Alias => (ByAlias, [request.Model, request.Alias]),
            _ => (ByDefault, [request.Model]),
        };
        return await source.QueryFirstOrDefaultAsync(sql, parameters, VersionRows.Map, ct)
            ?? throw await source.InTransactionAsync(transaction => UnknownAsync(transaction, request, ct), ct);
    }

    private static async Task<NotFoundException> UnknownAsync(
        NpgsqlTransaction transaction, GetModelVersionRequest request, CancellationToken ct)
    {
        var isKnown = await transaction.QueryFirstOrDefaultAsync(
            "select true from model where name = $1", [request.Model], r => r.GetBoolean(0), ct);
        if (!isKnown) return await Models.UnknownAsync(transaction, request.Model, ct);
        return request.SelectorCase == GetModelVersionRequest.SelectorOneofCase.Alias
            ? await Models.AliasUnknownAsync(transaction, request.Model, request.Alias, ct)
            : await Models.VersionUnknownAsync(transaction, request.Model, request.Version, ct);
    }
}
