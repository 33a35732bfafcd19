using System.Collections.Concurrent;
using Microsoft.Extensions.Options;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Inference.BatchJobs;

/// <summary>The databases jobs may use, by the names of the configuration.</summary>
internal sealed class BatchConnections(IOptions<BatchOptions> options) : IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, NpgsqlDataSource> _sources = [];

    public bool IsKnown(string name) => options.Value.Connections.ContainsKey(name);

    public bool IsWritable(string name) => options.Value.Connections.GetValueOrDefault(name)?.Writable == true;

    /// <exception cref="InvalidRequestException">CONNECTION_UNKNOWN: it is not configured (any more).</exception>
    public BatchConnection Settings(string name) => options.Value.Connections.GetValueOrDefault(name)
        ?? throw new InvalidRequestException("CONNECTION_UNKNOWN", $"Inference:Batch:Connections has no '{Predictions.Workspace.Shown(name)}'.");

    /// <inheritdoc cref="Settings"/>
    public NpgsqlDataSource Open(string name)
    {
        var settings = Settings(name);
        return _sources.GetOrAdd(name, _ => NpgsqlDataSource.Create(settings.ConnectionString));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var source in _sources.Values) await source.DisposeAsync();
    }
}
