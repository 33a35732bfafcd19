using MlOps.Contracts.Inference.V1;
using MlOps.Inference.BatchJobs;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Inference.Streams;

/// <summary>The streams there are: the configuration's, and beside them those put over the API.</summary>
internal sealed class StreamBook(NpgsqlDataSource source, StreamRules rules, StreamBroker broker, TimeProvider time)
{
    private readonly Lazy<IReadOnlyList<ModelStream>> _configured = new(rules.Configured);

    /// <summary>Raised when this replica changes one.</summary>
    public event Action? Changed;

    /// <exception cref="InvalidRequestException">STREAM_INVALID, with every broken rule.</exception>
    /// <exception cref="ConflictException">STREAM_CONFIGURED: the configuration has it.</exception>
    public async Task<ModelStream> PutAsync(ModelStream given, CancellationToken ct)
    {
        var stream = rules.Complete(given, StreamRules.OwnerApi);
        ThrowIfConfigured(stream.Model);
        await broker.DeclareAsync(stream, ct);
        var now = time.GetUtcNow();
        stream.UpdatedAtMicros = BatchJobRows.Micros(now);
        await source.ExecuteAsync(
            """
            insert into stream (model, spec, updated_at) values ($1, $2, $3)
            on conflict (model) do update set spec = excluded.spec, updated_at = excluded.updated_at
            """,
            [stream.Model, BatchJobRows.Json(stream), now], ct);
        Changed?.Invoke();
        return stream;
    }

    /// <exception cref="NotFoundException">STREAM_UNKNOWN.</exception>
    public async Task<ModelStream> GetAsync(string model, CancellationToken ct) =>
        (await ListAsync(ct)).FirstOrDefault(s => s.Model == model) ?? throw Unknown(model);

    /// <summary>All of them, by model.</summary>
    public async Task<IReadOnlyList<ModelStream>> ListAsync(CancellationToken ct)
    {
        var stored = await source.QueryAsync(
            "select spec from stream", [], r => ModelStream.Parser.ParseJson(r.GetString(0)), ct);
        return
        [
            .. _configured.Value.Concat(stored.Where(s => _configured.Value.All(c => c.Model != s.Model)))
                .OrderBy(s => s.Model, StringComparer.Ordinal),
        ];
    }

    /// <exception cref="NotFoundException">STREAM_UNKNOWN.</exception>
    /// <exception cref="ConflictException">STREAM_CONFIGURED.</exception>
    public async Task DeleteAsync(string model, CancellationToken ct)
    {
        ThrowIfConfigured(model);
        if (await source.ExecuteAsync("delete from stream where model = $1", [model], ct) == 0) throw Unknown(model);
        Changed?.Invoke();
    }

    private void ThrowIfConfigured(string model)
    {
        if (_configured.Value.All(s => s.Model != model)) return;
        throw new ConflictException(
            "STREAM_CONFIGURED", $"The stream of {model} stands in the service's configuration and is changed there alone.");
    }

    private static NotFoundException Unknown(string model) =>
        new("STREAM_UNKNOWN", $"The model '{Predictions.Workspace.Shown(model)}' has no stream.");
}
