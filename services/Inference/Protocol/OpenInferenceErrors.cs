namespace MlOps.Inference.Protocol;

/// <summary>Failures under <c>/v2</c> as the Open Inference Protocol has them: <c>{"error":"text"}</c>.</summary>
internal sealed class OpenInferenceErrors : IProblemDetailsWriter
{
    public bool CanWrite(ProblemDetailsContext context) => context.HttpContext.Request.Path.StartsWithSegments("/v2");

    public ValueTask WriteAsync(ProblemDetailsContext context) => new(context.HttpContext.Response.WriteAsJsonAsync(
        new ErrorAnswer(context.ProblemDetails.Detail ?? "The request failed."), context.HttpContext.RequestAborted));

    internal sealed record ErrorAnswer(string Error);
}
