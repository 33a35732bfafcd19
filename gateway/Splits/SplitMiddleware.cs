using System.Collections.Frozen;
using System.Diagnostics;
using Outcome = MlOps.Gateway.Splits.FirstMessage.Outcome;

namespace MlOps.Gateway.Splits;

/// <summary>
/// Gives every prediction for a model with a policy its arm, before it is forwarded: the chosen version travels as a header,
/// which no client can set. A request that names its version, or whose model has no policy, goes on as it came.
/// </summary>
internal sealed partial class SplitMiddleware(
    RequestDelegate next, PolicyBook book, GatewayMetrics metrics, ILogger<SplitMiddleware> logger)
{
    /// <summary>The calls whose requests carry the model in field 1 and its version in field 2; true: they are predictions.</summary>
    private static readonly FrozenDictionary<string, bool> GrpcMethods = new Dictionary<string, bool>
    {
        ["/inference.GRPCInferenceService/ModelInfer"] = true,
        ["/inference.GRPCInferenceService/ModelStreamInfer"] = true,
        ["/inference.GRPCInferenceService/ModelReady"] = false,
        ["/inference.GRPCInferenceService/ModelMetadata"] = false,
        ["/inference.GRPCInferenceService/ModelConfig"] = false,
        ["/inference.GRPCInferenceService/ModelStatistics"] = false,
        ["/mlops.inference.v1.InferenceService/Predict"] = true,
    }.ToFrozenDictionary(StringComparer.Ordinal);

    public Task InvokeAsync(HttpContext http)
    {
        http.Request.Headers.Remove(SplitHeaders.Version);
        http.Request.Headers.Remove(SplitHeaders.Variant);

        var policies = book.Current;
        // ASP.NET Core's paths are never null once there is a request.
        var path = http.Request.Path.Value!;
        if (policies.IsEmpty) return next(http);
        if (GrpcMethods.TryGetValue(path, out var isPrediction)) return SplitGrpcAsync(http, policies, isPrediction);

        if (ModelPath.TryRead(path, out var model, out var namesVersion) && !namesVersion && policies.Find(model) is { } split)
        {
            Assign(http, split, isPrediction: HttpMethods.IsPost(http.Request.Method));
        }

        return next(http);
    }

    private async Task SplitGrpcAsync(HttpContext http, PolicySnapshot policies, bool isPrediction)
    {
        try
        {
            var (outcome, split) = await MessagePeek.LookAsync(http, policies, http.RequestAborted);
            if (split is not null) Assign(http, split, isPrediction);
            else if (outcome == Outcome.Unread) NoteUnread(http);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // The client is gone before its first message was here; nobody waits for an answer.
            LogGone(http.Request.Path);
            http.Abort();
            return;
        }

        await next(http);
    }

    private void Assign(HttpContext http, Split split, bool isPrediction)
    {
        var request = http.Request.Headers;
        var arm = split.Choose(request[split.Policy.SubjectHeader]);
        // Inference logs the hash of the subject under its usual name, whichever header the policy reads it from.
        if (split.ReadsOwnHeader) request[TrafficPolicy.DefaultSubjectHeader] = request[split.Policy.SubjectHeader];
        request[SplitHeaders.Version] = arm.Version;
        request[SplitHeaders.Variant] = arm.Variant;
        http.Features.Set(arm);
        if (isPrediction) arm.Record(metrics);
        if (Activity.Current is { IsAllDataRequested: true } activity) arm.Describe(activity);
    }

    private void NoteUnread(HttpContext http)
    {
        metrics.Unread.Add(1);
        Activity.Current?.SetTag("mlops.split", "unread");
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "The caller of {Path} left before its first message")]
    private partial void LogGone(PathString path);
}
