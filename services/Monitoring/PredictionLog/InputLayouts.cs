using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Monitoring.PredictionLog;

/// <summary>Gives each layout its number, the same to all who ask at once.</summary>
internal sealed class InputLayouts(NpgsqlDataSource source)
{
    // On its own, so that batches with a new layout do not wait for each other's transactions.
    public async Task<int> IdOfAsync(InputLayout layout, CancellationToken ct)
    {
        var digest = layout.Digest();
        const string Find = "select layout_id from input_layout where digest = $1";
        var known = await source.QueryFirstOrDefaultAsync<int?>(Find, [digest], r => r.GetInt32(0), ct);
        if (known is { } id) return id;
        await source.ExecuteAsync(
            "insert into input_layout (digest, names, kinds) values ($1, $2, $3) on conflict do nothing",
            [digest, layout.Names, layout.Kinds], ct);
        return await source.QueryFirstOrDefaultAsync(Find, [digest], r => r.GetInt32(0), ct);
    }

    public static async Task<Dictionary<int, InputLayout>> ReadAsync(NpgsqlTransaction transaction, CancellationToken ct)
    {
        var layouts = await transaction.QueryAsync(
            "select layout_id, names, kinds from input_layout", [],
            r => (Id: r.GetInt32(0), Layout: new InputLayout(r.GetFieldValue<string[]>(1), r.GetFieldValue<string[]>(2))),
            ct);
        return layouts.ToDictionary(l => l.Id, l => l.Layout);
    }
}
