using System.Text.Json;

namespace MlOps.Inference.Protocol;

/// <summary>
/// Failures as each protocol has them: <c>{"error":"text"}</c> for the Open Inference Protocol and its V1,
/// <c>{"error_code":"…","message":"…"}</c> for MLflow's scoring.
/// </summary>
internal sealed class OpenInferenceErrors : IProblemDetailsWriter
{
    private static readonly JsonSerializerOptions Snake =
        new(JsonSerializerDefaults.Web) { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public bool CanWrite(ProblemDetailsContext context)
    {
        var path = context.HttpContext.Request.Path;
        return path.StartsWithSegments("/v2") || IsScoring(path) || IsV1(path);
    }

    public ValueTask WriteAsync(ProblemDetailsContext context)
    {
        var http = context.HttpContext;
        var text = context.ProblemDetails.Detail ?? "The request failed.";
        return new(IsScoring(http.Request.Path)
            ? http.Response.WriteAsJsonAsync(new ScoringError(CodeOf(http.Response.StatusCode), text), Snake, null, http.RequestAborted)
            : http.Response.WriteAsJsonAsync(new ErrorAnswer(text), http.RequestAborted));
    }

    private static bool IsScoring(PathString path) => path == "/invocations" || path == "/ping";

    // Of what is under /v1/models only "{model}:predict" and "{model}" are the V1 protocol's.
    private static bool IsV1(PathString path) => path.StartsWithSegments("/v1/models", out var rest)
        && (rest.Value is { } model && (model.EndsWith(":predict", StringComparison.Ordinal) || model.LastIndexOf('/') == 0));

    private static string CodeOf(int status) => status switch
    {
        StatusCodes.Status404NotFound => "RESOURCE_DOES_NOT_EXIST",
        StatusCodes.Status429TooManyRequests => "REQUEST_LIMIT_EXCEEDED",
        StatusCodes.Status503ServiceUnavailable => "TEMPORARILY_UNAVAILABLE",
        < 500 => "BAD_REQUEST",
        _ => "INTERNAL_ERROR",
    };

    internal sealed record ErrorAnswer(string Error);

    internal sealed record ScoringError(string ErrorCode, string Message);
}
