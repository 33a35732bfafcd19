using MlOps.Contracts.Registry.V1;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Registry.Versions;

/// <summary>All versions of a model, the newest first.</summary>
internal sealed class ListModelVersions(NpgsqlDataSource source)
{
    /// <exception cref="NotFoundException">MODEL_UNKNOWN</exception>
    public async Task<List<ModelVersion>> HandleAsync(string model, CancellationToken ct)
    {
        var versions = await source.QueryAsync(
            VersionRows.Select + "where v.model = $1 order by v.version desc", [model], VersionRows.Map, ct);
        // A model is made with its first version.
        if (versions.Count == 0)
        {
            throw await source.InTransactionAsync(transaction => Models.UnknownAsync(transaction, model, ct), ct);
        }

        return versions;
    }
}
