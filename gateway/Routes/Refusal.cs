using System.Globalization;
using Grpc.Core;
using Microsoft.AspNetCore.Http.HttpResults;

namespace MlOps.Gateway.Routes;

/// <summary>
/// The gateway's own no, told in the words of the protocol that was spoken: a gRPC status, the Open Inference Protocol's
/// <c>{"error": …}</c>, MLflow's <c>{"error_code": …, "message": …}</c>, else problem details (RFC 9457).
/// </summary>
internal sealed record Refusal(StatusCode Grpc, int Http, string Code, string Message)
{
    /// <summary>When another try may succeed.</summary>
    public TimeSpan? RetryAfter { get; init; }

    public async Task WriteAsync(HttpContext http)
    {
        if (GrpcAnswer.IsGrpc(http.Request))
        {
            GrpcAnswer.Write(http.Response, Grpc, Code, Message);
            // What gRPC clients that retry go by.
            if (Grpc == StatusCode.ResourceExhausted && RetryAfter is { } pause)
                http.Response.Headers[GrpcAnswer.PushbackField] = Math.Ceiling(pause.TotalMilliseconds).ToString("0", CultureInfo.InvariantCulture);
            return;
        }

        http.Response.Clear();
        if (RetryAfter is { } wait)
            http.Response.Headers.RetryAfter = Math.Max(1, Math.Ceiling(wait.TotalSeconds)).ToString("0", CultureInfo.InvariantCulture);
        if (Http == StatusCodes.Status401Unauthorized) http.Response.Headers.WWWAuthenticate = "Bearer realm=\"mlops\"";
        IResult result = http.Request.Path switch
        {
            var path when SpeaksOpenInference(path) => Json(new() { ["error"] = Message }),
            var path when SpeaksMlflow(path) => Json(new() { ["error_code"] = MlflowCode(Http), ["message"] = Message }),
            _ => TypedResults.Problem(
                statusCode: Http, detail: Message, extensions: new Dictionary<string, object?> { ["code"] = Code }),
        };
        await result.ExecuteAsync(http);
    }

    private JsonHttpResult<Dictionary<string, string>> Json(Dictionary<string, string> body) => TypedResults.Json(body, statusCode: Http);

    // The first version of the protocol, under /v1/models, words its errors as the second does.
    private static bool SpeaksOpenInference(PathString path) =>
        path.StartsWithSegments("/v2") || path.StartsWithSegments("/v1/models");

    private static bool SpeaksMlflow(PathString path) =>
        path.StartsWithSegments("/invocations") || path.StartsWithSegments("/ping")
        || path.StartsWithSegments("/api/2.0") || path.StartsWithSegments("/ajax-api");

    private static string MlflowCode(int status) => status switch
    {
        StatusCodes.Status401Unauthorized => "UNAUTHENTICATED",
        StatusCodes.Status403Forbidden => "PERMISSION_DENIED",
        StatusCodes.Status404NotFound => "ENDPOINT_NOT_FOUND",
        StatusCodes.Status429TooManyRequests => "REQUEST_LIMIT_EXCEEDED",
        StatusCodes.Status503ServiceUnavailable => "TEMPORARILY_UNAVAILABLE",
        StatusCodes.Status504GatewayTimeout => "DEADLINE_EXCEEDED",
        < 500 => "BAD_REQUEST",
        _ => "INTERNAL_ERROR",
    };
}
