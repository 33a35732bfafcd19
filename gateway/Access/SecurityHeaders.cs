using MlOps.Gateway.Routes;

namespace MlOps.Gateway.Access;

/// <summary>
/// What browsers are told of the gateway's own answers, where an endpoint has not said otherwise itself: to guess no types,
/// to frame nothing, to send no address on, to load nothing from elsewhere; and, over TLS, to come back by TLS only.
/// Forwarded answers stay as the services gave them.
/// </summary>
internal sealed class SecurityHeaders(RequestDelegate next)
{
    // Pages bring their own scripts and styles along; data has nothing to load at all.
    private const string ForPages = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'";
    private const string ForData = "default-src 'none'; frame-ancestors 'none'";

    public Task InvokeAsync(HttpContext http)
    {
        if (http.GetEndpoint() is not { } endpoint || AccessRules.IsForwarded(endpoint) || GrpcAnswer.IsGrpc(http.Request))
            return next(http);

        http.Response.OnStarting(static state =>
        {
            Add((HttpContext)state);
            return Task.CompletedTask;
        }, http);
        return next(http);
    }

    private static void Add(HttpContext http)
    {
        var headers = http.Response.Headers;
        headers.TryAdd("X-Content-Type-Options", "nosniff");
        headers.TryAdd("X-Frame-Options", "DENY");
        headers.TryAdd("Referrer-Policy", "no-referrer");
        var isPage = http.Response.ContentType?.StartsWith("text/html", StringComparison.OrdinalIgnoreCase) == true;
        headers.TryAdd("Content-Security-Policy", isPage ? ForPages : ForData);
        if (http.Request.IsHttps) headers.TryAdd("Strict-Transport-Security", "max-age=31536000");
    }
}
