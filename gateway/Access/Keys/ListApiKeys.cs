using Npgsql;

namespace MlOps.Gateway.Access.Keys;

/// <summary>Every key ever made, oldest first, with when it was last used.</summary>
internal sealed class ListApiKeys(NpgsqlDataSource source)
{
    public async Task<IReadOnlyList<ApiKey>> RunAsync(CancellationToken ct) =>
        [.. (await ApiKeyChanges.AllAsync(source, ct)).Select(k => k.Key)];
}
