using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Registry.Versions;

/// <summary>Finds and locks models; the lock of a model's row orders its registrations and alias moves.</summary>
internal static class Models
{
    private const int FewEnoughToName = 10;

    /// <summary>Locks the model until the transaction ends and answers its newest version.</summary>
    /// <exception cref="NotFoundException">MODEL_UNKNOWN</exception>
    public static async Task<int> LockAsync(NpgsqlTransaction transaction, string model, CancellationToken ct) =>
        await transaction.QueryFirstOrDefaultAsync<int?>(
            "select latest_version from model where name = $1 for update", [model], r => r.GetInt32(0), ct)
        ?? throw await UnknownAsync(transaction, model, ct);

    /// <summary>A failure that names the models there are, when they are few.</summary>
    public static async Task<NotFoundException> UnknownAsync(
        NpgsqlTransaction transaction, string model, CancellationToken ct)
    {
        var known = await transaction.QueryAsync(
            "select name from model order by name limit $1", [FewEnoughToName + 1], r => r.GetString(0), ct);
        return new NotFoundException("MODEL_UNKNOWN", $"No model is named '{model}'{Known(known)}.");
    }

    /// <summary>A failure that names the versions of the model, when they are few.</summary>
    public static async Task<NotFoundException> VersionUnknownAsync(
        NpgsqlTransaction transaction, string model, int version, CancellationToken ct)
    {
        var known = await transaction.QueryAsync(
            "select version::text from model_version where model = $1 order by version limit $2",
            [model, FewEnoughToName + 1], r => r.GetString(0), ct);
        return new NotFoundException("VERSION_UNKNOWN", $"Model '{model}' has no version {version}{Known(known)}.");
    }

    /// <summary>A failure that names the aliases of the model, when they are few.</summary>
    public static async Task<NotFoundException> AliasUnknownAsync(
        NpgsqlTransaction transaction, string model, string alias, CancellationToken ct)
    {
        var known = await transaction.QueryAsync(
            "select alias from model_alias where model = $1 order by alias limit $2",
            [model, FewEnoughToName + 1], r => r.GetString(0), ct);
        return new NotFoundException("ALIAS_UNKNOWN", $"Model '{model}' has no alias '{alias}'{Known(known)}.");
    }

    private static string Known(List<string> known) => known.Count switch
    {
        0 => "; there is none yet",
        <= FewEnoughToName => $"; known: {string.Join(", ", known)}",
        _ => "",
    };
}
