using MlOps.Gateway.Access;
using MlOps.Gateway.JsonCalls;
using MlOps.Gateway.Routes;
using Yarp.ReverseProxy.Forwarder;
using Yarp.ReverseProxy.Model;

namespace MlOps.Gateway.Resilience;

/// <summary>
/// Sends a request to another replica when the first gave no answer: one that was never sent, or one that changes nothing and
/// whose answer has not begun. Each replica is asked once. Services with one replica are not concerned.
/// </summary>
internal sealed class Retries(RequestDelegate next, AccessRules rules, RetryBudget budget, TimeProvider time, GatewayMetrics metrics)
{
    public Task InvokeAsync(HttpContext http)
    {
        var proxy = http.GetReverseProxyFeature();
        return proxy.AllDestinations.Count < 2 ? next(http) : TryAsync(http, proxy);
    }

    private async Task TryAsync(HttpContext http, IReverseProxyFeature proxy)
    {
        budget.Earn();
        var body = new ReplayBody(http.Request.Body);
        http.Request.Body = body;
        var started = time.GetTimestamp();
        var tried = new HashSet<DestinationState>();
        while (true)
        {
            await next(http);
            if (http.Features.Get<IForwarderErrorFeature>() is not { } failure || proxy.ProxiedDestination is not { } last) return;
            tried.Add(last);
            DestinationState[] others = [.. proxy.AllDestinations.Where(d => !tried.Contains(d)).OrderBy(d => d.Health.Active == DestinationHealth.Unhealthy || d.Health.Passive == DestinationHealth.Unhealthy)];
            if (others.Length == 0 || http.Response.HasStarted || http.RequestAborted.IsCancellationRequested
                || !MayRepeat(http, failure, body) || !budget.TrySpend()) return;

            metrics.Retries.Add(1, new KeyValuePair<string, object?>("service", proxy.Cluster.Config.ClusterId));
            http.Features.Set<IForwarderErrorFeature>(null);
            http.Response.StatusCode = StatusCodes.Status200OK;
            GrpcTimeout.Shorten(http.Request.Headers, time.GetElapsedTime(started));
            body.Rewind();
            proxy.ProxiedDestination = null;
            proxy.AvailableDestinations = others[..1];
        }
    }

    private bool MayRepeat(HttpContext http, IForwarderErrorFeature failure, ReplayBody body)
    {
        if (!body.CanReplay || !IsTheServices(failure) || http.Features.Get<GuardedCall>()?.Refusal is not null
            || http.Features.Get<JsonRequest>()?.Refusal is not null) return false;
        var isUnsent = !body.IsTouched && failure.Exception is HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError };
        return isUnsent || rules.Find(http, out _) is { Changes: false };
    }

    // Where a service breaks off while the request is still being read, the forwarder blames whatever notices first.
    private static bool IsTheServices(IForwarderErrorFeature failure) =>
        failure.Error is ForwarderError.Request or ForwarderError.RequestCanceled or ForwarderError.RequestBodyDestination
            or ForwarderError.RequestBodyCanceled or ForwarderError.RequestBodyClient
        && ForwardFailures.BadRequest(failure.Exception) is null;
}
