using System.Globalization;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using MlOps.ServiceDefaults.Failures;

namespace MlOps.ServiceDefaults.Platform;

/// <summary>
/// Takes calls, gRPC and HTTP alike, only from the platform itself, where a credential is configured. Probes and scrapes
/// (<c>/alive</c>, <c>/health</c>, <c>/metrics</c>, <c>grpc.health.v1</c>) are answered to all.
/// </summary>
internal sealed class CredentialCheck(RequestDelegate next, PlatformCredential credential, IProblemDetailsService problems)
{
    private const string Code = "PLATFORM_CREDENTIAL_REQUIRED";
    private const string Message = "This service answers the platform alone; ask its gateway.";

    public Task InvokeAsync(HttpContext http) =>
        credential.IsIn(http.Request.Headers) || IsProbe(http.Request.Path) ? next(http) : RefuseAsync(http);

    private static bool IsProbe(PathString path) =>
        path == "/alive" || path == "/health" || path == "/metrics" || path.StartsWithSegments("/grpc.health.v1.Health");

    private async Task RefuseAsync(HttpContext http)
    {
        var response = http.Response;
        if (http.Request.ContentType?.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase) == true)
        {
            // A status without a message: the "trailers-only" answer of gRPC over HTTP/2.
            response.ContentType = "application/grpc";
            response.Headers["grpc-status"] = ((int)StatusCode.Unauthenticated).ToString(CultureInfo.InvariantCulture);
            response.Headers["grpc-message"] = Uri.EscapeDataString(Message);
            response.Headers[FailureInterceptor.CodeTrailer] = Code;
            return;
        }

        response.StatusCode = StatusCodes.Status401Unauthorized;
        await problems.TryWriteAsync(new ProblemDetailsContext
        {
            HttpContext = http,
            ProblemDetails = { Status = response.StatusCode, Detail = Message, Extensions = { ["code"] = Code } },
        });
    }
}
