using MlOps.Contracts.Registry.V1;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Monitoring;

/// <summary>Tells a model without traffic from one that does not exist.</summary>
internal sealed class KnownModels(
    NpgsqlDataSource source, RegistryService.RegistryServiceClient registry, TimeProvider time)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>To be called when nothing was found; returns when the model has predictions or a version.</summary>
    /// <exception cref="InvalidRequestException">MODEL_INVALID</exception>
    /// <exception cref="Grpc.Core.RpcException">NotFound, MODEL_UNKNOWN, in the registry's words.</exception>
    public async Task RequireAsync(string model, CancellationToken ct)
    {
        if (model.Length == 0)
        {
            throw new InvalidRequestException("MODEL_INVALID", [new FieldViolation("model", "must be given")]);
        }

        var isLogged = await source.QueryFirstOrDefaultAsync(
            "select true from prediction where model = $1 limit 1", [model], r => r.GetBoolean(0), ct);
        if (isLogged) return;
        await registry.GetModelVersionAsync(
            new GetModelVersionRequest { Model = model },
            deadline: (time.GetUtcNow() + Patience).UtcDateTime, cancellationToken: ct);
    }
}
