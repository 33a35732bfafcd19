using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;

namespace MlOps.ServiceDefaults.Telemetry;

/// <summary>
/// Names each request's span by what was asked for, after OpenTelemetry's semantic conventions for HTTP and RPC: the server
/// itself calls all of them the same.
/// </summary>
internal sealed class RequestSpans(RequestDelegate next)
{
    // Most are not: the server makes an activity for every request, so that trace context goes on, and one that nobody records wants no words.
    public Task InvokeAsync(HttpContext http) =>
        http.Features.Get<IHttpActivityFeature>()?.Activity is { IsAllDataRequested: true, Recorded: true } span
            ? DescribeAsync(http, span)
            : next(http);

    private async Task DescribeAsync(HttpContext http, Activity span)
    {
        var path = http.Request.Path.Value ?? "/";
        span.SetTag("http.request.method", http.Request.Method);
        span.SetTag("url.path", path);
        if (http.Request.ContentType?.StartsWith("application/grpc", StringComparison.Ordinal) == true)
        {
            span.DisplayName = path[1..];
            span.SetTag("rpc.system", "grpc");
        }

        try
        {
            await next(http);
        }
        finally
        {
            if ((http.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText is { } route)
            {
                span.SetTag("http.route", route);
                if (span.GetTagItem("rpc.system") is null) span.DisplayName = $"{http.Request.Method} {route}";
            }

            span.SetTag("http.response.status_code", http.Response.StatusCode);
            if (http.Response.StatusCode >= 500) span.SetStatus(ActivityStatusCode.Error);
        }
    }
}
