using Grpc.Core;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace MlOps.ServiceDefaults.Failures;

/// <summary>Turns every exception of an HTTP request into problem details (RFC 9457) with the stable code.</summary>
internal sealed partial class FailureExceptionHandler(
    IProblemDetailsService problems, ILogger<FailureExceptionHandler> logger) : IExceptionHandler
{
    public async ValueTask<bool> TryHandleAsync(HttpContext http, Exception exception, CancellationToken ct)
    {
        var failure = Failure.Of(exception, http.RequestAborted);
        if (failure.IsUnexpected) LogUnexpected(exception, http.Request.Path);

        http.Response.StatusCode = failure.Http;
        if (failure.Grpc == StatusCode.ResourceExhausted) http.Response.Headers.RetryAfter = Failure.RetryAfterSeconds;
        return await problems.TryWriteAsync(new ProblemDetailsContext
        {
            HttpContext = http,
            ProblemDetails =
            {
                Status = failure.Http,
                Detail = failure.Message,
                Extensions = { ["code"] = failure.Code, ["errors"] = ErrorsOf(failure) },
            },
        });
    }

    private static Dictionary<string, string[]> ErrorsOf(Failure failure) => failure.Violations
        .GroupBy(v => v.Field)
        .ToDictionary(field => field.Key, field => field.Select(v => v.Rule).ToArray());

    [LoggerMessage(Level = LogLevel.Error, Message = "Request {Path} failed unexpectedly")]
    private partial void LogUnexpected(Exception exception, PathString path);
}
