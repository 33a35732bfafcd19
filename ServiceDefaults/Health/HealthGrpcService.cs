using Grpc.Core;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace MlOps.ServiceDefaults.Health;

/// <summary>The gRPC health checking protocol over the same report as <c>/health</c>; only the whole server ("") is known.</summary>
internal sealed class HealthGrpcService(HealthState state, TimeProvider time) : Health.HealthBase
{
    private static readonly TimeSpan WatchInterval = TimeSpan.FromSeconds(1);

    public override async Task<HealthCheckResponse> Check(HealthCheckRequest request, ServerCallContext context)
    {
        if (request.Service.Length > 0)
        {
            throw new NotFoundException(
                "SERVICE_UNKNOWN", $"Health of '{request.Service}' is not kept apart; ask for the whole server with an empty name.");
        }

        return new HealthCheckResponse { Status = await StatusAsync(context.CancellationToken) };
    }

    public override async Task Watch(
        HealthCheckRequest request, IServerStreamWriter<HealthCheckResponse> responseStream, ServerCallContext context)
    {
        HealthCheckResponse.Types.ServingStatus? last = null;
        while (!context.CancellationToken.IsCancellationRequested)
        {
            var status = request.Service.Length > 0
                ? HealthCheckResponse.Types.ServingStatus.ServiceUnknown
                : await StatusAsync(context.CancellationToken);
            if (status != last)
            {
                await responseStream.WriteAsync(new HealthCheckResponse { Status = status }, context.CancellationToken);
                last = status;
            }

            await Task.Delay(WatchInterval, time, context.CancellationToken);
        }
    }

    private async Task<HealthCheckResponse.Types.ServingStatus> StatusAsync(CancellationToken ct) =>
        (await state.GetAsync(ct)).Status == HealthStatus.Unhealthy
            ? HealthCheckResponse.Types.ServingStatus.NotServing
            : HealthCheckResponse.Types.ServingStatus.Serving;
}
