using Grpc.Core;
using MlOps.ServiceDefaults;
using Wire = MlOps.Contracts.Gateway.V1;

namespace MlOps.Gateway.Rollouts;

/// <summary><c>mlops.gateway.v1.RolloutService</c>: translates between the wire and the slices.</summary>
internal sealed class RolloutGrpcService(StartRollout start, ListRollouts list, SteerRollout steer) : Wire.RolloutService.RolloutServiceBase
{
    public override async Task<Wire.Rollout> StartRollout(Wire.StartRolloutRequest request, ServerCallContext context) =>
        RolloutWire.ToWire(await start.RunAsync(
            request.Model, request.Version, RolloutWire.FromWire(request.Plan), RolloutSource.Api, request.Actor, request.Reason,
            context.CancellationToken));

    public override async Task<Wire.Rollout> GetRollout(Wire.GetRolloutRequest request, ServerCallContext context)
    {
        var rollout = await list.GetAsync(request.Model, context.CancellationToken);
        return RolloutWire.ToWire(rollout, await list.EntriesAsync(rollout.Id, context.CancellationToken));
    }

    public override async Task<Wire.ListRolloutsResponse> ListRollouts(Wire.ListRolloutsRequest request, ServerCallContext context) =>
        new() { Rollouts = { (await list.RunAsync(request.Model, context.CancellationToken)).Select(r => RolloutWire.ToWire(r)) } };

    public override async Task<Wire.Rollout> PauseRollout(Wire.SteerRolloutRequest request, ServerCallContext context) =>
        RolloutWire.ToWire(await steer.PauseAsync(request.Model, request.Actor, request.Reason, context.CancellationToken));

    public override async Task<Wire.Rollout> ResumeRollout(Wire.SteerRolloutRequest request, ServerCallContext context) =>
        RolloutWire.ToWire(await steer.ResumeAsync(request.Model, request.Actor, request.Reason, context.CancellationToken));

    public override async Task<Wire.Rollout> PromoteRollout(Wire.SteerRolloutRequest request, ServerCallContext context) =>
        RolloutWire.ToWire(await steer.PromoteAsync(request.Model, request.Actor, request.Reason, context.CancellationToken));

    public override async Task<Wire.Rollout> AbortRollout(Wire.SteerRolloutRequest request, ServerCallContext context)
    {
        Guid? id = request.RolloutId.Length == 0 ? null
            : Guid.TryParse(request.RolloutId, out var one) ? one
            : throw new InvalidRequestException("ROLLOUT_INVALID", [new FieldViolation("rollout_id", "must be 32 hex digits, or empty")]);
        return RolloutWire.ToWire(await steer.AbortAsync(request.Model, id, request.Actor, request.Reason, context.CancellationToken));
    }

    public override async Task<Wire.Rollout> RollBack(Wire.SteerRolloutRequest request, ServerCallContext context) =>
        RolloutWire.ToWire(await steer.RollBackAsync(request.Model, request.Actor, request.Reason, context.CancellationToken));
}
