using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace MlOps.Gateway.Access;

/// <summary>Puts a <see cref="GuardedBody"/> before the forwarder where a call is decided by its messages.</summary>
internal sealed class GuardedForwarding(RequestDelegate next, GatewayMetrics metrics)
{
    public Task InvokeAsync(HttpContext http) =>
        http.Features.Get<GuardedCall>() is { } call ? GuardAsync(http, call) : next(http);

    private async Task GuardAsync(HttpContext http, GuardedCall call)
    {
        Lift(http);
        var body = new GuardedBody(http.Request.Body, call, http.Request.Headers.GrpcEncoding.ToString());
        http.Request.Body = body;
        try
        {
            await body.BeginAsync(http.RequestAborted);
        }
        catch (RefusedException e)
        {
            metrics.Refused.Add(1, new KeyValuePair<string, object?>("code", e.Refusal.Code));
            await e.Refusal.WriteAsync(http);
            return;
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // The client is gone before its first message was here; nobody waits for an answer.
            http.Abort();
            return;
        }

        await next(http);
    }

    // The forwarder does so for gRPC as well, but from the first read on it is too late; finding the size fixed, it would
    // log a warning for every call.
    private static void Lift(HttpContext http)
    {
        if (http.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } rate) rate.MinDataRate = null;
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is not { IsReadOnly: false } size) return;
        size.MaxRequestBodySize = null;
        http.Features.Set<IHttpMaxRequestBodySizeFeature>(null);
    }
}
