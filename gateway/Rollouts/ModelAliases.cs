using Grpc.Core;
using MlOps.Contracts.Registry.V1;

namespace MlOps.Gateway.Rollouts;

/// <summary>Which versions a model's aliases point to, as Registry has it.</summary>
internal sealed class ModelAliases(RegistryService.RegistryServiceClient registry, TimeProvider time)
{
    public const string Champion = "champion";
    public const string Challenger = "challenger";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private DateTime Deadline => (time.GetUtcNow() + Patience).UtcDateTime;

    /// <exception cref="RpcException">NotFound: MODEL_UNKNOWN, VERSION_UNKNOWN.</exception>
    public async Task RequireAsync(string model, int version, CancellationToken ct) => await registry.GetModelVersionAsync(
        new GetModelVersionRequest { Model = model, Version = version }, deadline: Deadline, cancellationToken: ct);

    /// <summary>Null: the model has no such alias.</summary>
    public async Task<int?> FindAsync(string model, string alias, CancellationToken ct)
    {
        try
        {
            var found = await registry.GetModelVersionAsync(
                new GetModelVersionRequest { Model = model, Alias = alias }, deadline: Deadline, cancellationToken: ct);
            return found.Version;
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.NotFound)
        {
            return null;
        }
    }

    /// <summary>Where it points there already, nothing happens.</summary>
    public async Task PointAsync(string model, string alias, int version, string actor, string reason, CancellationToken ct) =>
        await registry.SetAliasAsync(
            new SetAliasRequest { Model = model, Alias = alias, Version = version, Actor = actor, Reason = reason },
            deadline: Deadline, cancellationToken: ct);

    /// <summary>Takes the alias away where it still points to this version.</summary>
    public async Task RemoveAsync(string model, string alias, int version, string actor, string reason, CancellationToken ct)
    {
        if (await FindAsync(model, alias, ct) != version) return;
        await registry.DeleteAliasAsync(
            new DeleteAliasRequest { Model = model, Alias = alias, Actor = actor, Reason = reason },
            deadline: Deadline, cancellationToken: ct);
    }
}
