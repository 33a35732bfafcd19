using System.Collections.Frozen;
using System.Diagnostics;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Extensions.Primitives;
using MlOps.Gateway.Shadows;

namespace MlOps.Gateway.Splits;

/// <summary>
/// Gives every prediction for a model with a policy its arm, before it is forwarded: the chosen version travels as a header,
/// which no client can set. A request that names its version, or whose model has no policy, goes on as it came.
/// </summary>
internal sealed partial class SplitMiddleware(
    RequestDelegate next, PolicyBook book, ForcedArm forcedArm, ShadowTaps shadows, GatewayMetrics metrics, ILogger<SplitMiddleware> logger)
{
    /// <summary>The calls whose requests carry the model in field 1 and its version in field 2.</summary>
    private static readonly FrozenDictionary<string, SplitCall> Calls = new Dictionary<string, SplitCall>
    {
        ["/inference.GRPCInferenceService/ModelInfer"] = new(IsPrediction: true),
        ["/inference.GRPCInferenceService/ModelStreamInfer"] = new(IsPrediction: true, IsStream: true),
        ["/inference.GRPCInferenceService/ModelReady"] = new(IsPrediction: false),
        ["/inference.GRPCInferenceService/ModelMetadata"] = new(IsPrediction: false),
        ["/inference.GRPCInferenceService/ModelConfig"] = new(IsPrediction: false),
        ["/inference.GRPCInferenceService/ModelStatistics"] = new(IsPrediction: false),
        ["/mlops.inference.v1.InferenceService/Predict"] = new(IsPrediction: true, IsByRows: true),
        ["/mlops.inference.v1.InferenceService/Explain"] = new(IsPrediction: false, IsByRows: true),
    }.ToFrozenDictionary(StringComparer.Ordinal);

    public Task InvokeAsync(HttpContext http)
    {
        var headers = http.Request.Headers;
        var forced = headers[SplitHeaders.ForceArm];
        SplitHeaders.Strip(headers);

        var policies = book.Current;
        if (policies.IsEmpty) return next(http);
        // ASP.NET Core's paths are never null once there is a request.
        var path = http.Request.Path.Value!;
        if (Calls.TryGetValue(path, out var call)) return SplitCallAsync(http, policies, call, forced);
        if (Find(path, headers, policies) is not { } split) return next(http);

        var hasBody = HttpMethods.IsPost(http.Request.Method);
        // Whoever asks why gets the version that would answer, and makes no prediction.
        var isPrediction = hasBody && !ModelPath.IsExplanation(path);
        if (hasBody && split.SubjectField is not null && !split.HasSubject(headers)) return SplitRestAsync(http, split, isPrediction, forced);
        return GoOnAsync(http, split, bodySubject: null, isPrediction, forced);
    }

    private static Split? Find(string path, IHeaderDictionary headers, PolicySnapshot policies)
    {
        if (ModelPath.TryRead(path, out var model, out var namesVersion)) return namesVersion ? null : policies.Find(model);
        return path.Equals("/invocations", StringComparison.OrdinalIgnoreCase) ? policies.Find(headers[SplitHeaders.Model].ToString()) : null;
    }

    private async Task SplitCallAsync(HttpContext http, PolicySnapshot policies, SplitCall call, StringValues forced)
    {
        // The forwarder does so for gRPC as well, but from the first read on it is too late.
        if (http.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } rate) rate.MinDataRate = null;
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
        {
            size.MaxRequestBodySize = null;
            // Lifted already; finding it fixed, the forwarder would log a warning for every call.
            http.Features.Set<IHttpMaxRequestBodySizeFeature>(null);
        }

        if (await PeekAsync(http, new CallPeek(http.Request, policies, call.IsByRows)) is not { } peeked) return;
        if (peeked.IsUnread) NoteUnread();
        await (peeked.Split is { } split ? GoOnAsync(http, split, peeked.Subject, call.IsPrediction, forced, isOneAnswer: !call.IsStream) : next(http));
    }

    private async Task SplitRestAsync(HttpContext http, Split split, bool isPrediction, StringValues forced)
    {
        // The caller asks for it.
        if (await PeekAsync(http, new RestPeek(http.Request, split, split.SubjectField!)) is not { } peeked) return;
        await GoOnAsync(http, split, peeked.Subject, isPrediction, forced);
    }

    // Null: the client is gone, nobody waits for an answer.
    private async ValueTask<Peeked?> PeekAsync<TPeek>(HttpContext http, TPeek peek) where TPeek : struct, IPeek
    {
        try
        {
            return await BodyPeek.LookAsync(http, peek, http.RequestAborted);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException and not BadHttpRequestException)
        {
            LogGone(http.Request.Path);
            http.Abort();
            return null;
        }
    }

    private Task GoOnAsync(
        HttpContext http, Split split, string? bodySubject, bool isPrediction, in StringValues forced, bool isOneAnswer = true)
    {
        var headers = http.Request.Headers;
        var subject = bodySubject ?? SplitHeaders.One(headers[split.Policy.SubjectHeader]);
        var name = string.IsNullOrEmpty(subject) ? SplitHeaders.One(headers[SplitHeaders.RequestId]) : subject;
        Assignment assignment;
        if (forced.Count > 0)
        {
            if (forcedArm.Find(forced, split, out var arm) is { } refusal) return refusal.WriteAsync(http);
            assignment = arm!.By(AssignmentReason.Forced); // not refused
        }
        else
        {
            assignment = split.Choose(name);
        }

        // Inference logs the hash of the subject under its usual name, wherever the policy reads it from.
        if (bodySubject is not null) PassOn(headers, bodySubject);
        else if (split.ReadsOwnHeader) headers[TrafficPolicy.DefaultSubjectHeader] = subject;
        headers[SplitHeaders.Version] = assignment.Arm.Version;
        // What a tester forced is logged as no arm's, and so is in nobody's statistics.
        if (assignment.Why != AssignmentReason.Forced) headers[SplitHeaders.Variant] = assignment.Arm.Variant;
        headers[SplitHeaders.Tier] = assignment.Arm.Tier;
        http.Features.Set(assignment);
        if (isPrediction) assignment.Record(metrics);
        // A stream has no answer whose time could be taken, and who is not assigned is not compared.
        if (isPrediction && isOneAnswer && assignment.Why == AssignmentReason.Assigned && split.Observed is { } observed)
        {
            http.Features.Set(observed.Observe(name, assignment.Arm.Place));
        }

        if (isPrediction && isOneAnswer && split.Shadows.Length > 0 && assignment.Why != AssignmentReason.Forced) shadows.Begin(http, split.Shadows);
        if (Activity.Current is { IsAllDataRequested: true } activity) assignment.Describe(activity);
        return next(http);
    }

    // A subject out of a body may hold what no header can.
    private static void PassOn(IHeaderDictionary headers, string subject)
    {
        if (subject.AsSpan().ContainsAnyInRange('\0', '\x1F') || subject.Contains('\x7F')) headers.Remove(TrafficPolicy.DefaultSubjectHeader);
        else headers[TrafficPolicy.DefaultSubjectHeader] = subject;
    }

    private void NoteUnread()
    {
        metrics.Unread.Add(1);
        Activity.Current?.SetTag("mlops.assignment", "unread");
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "The caller of {Path} left before its first message")]
    private partial void LogGone(PathString path);

    /// <summary>Whether it counts as a prediction, and whether it has rows instead of tensors.</summary>
    private sealed record SplitCall(bool IsPrediction, bool IsByRows = false, bool IsStream = false);
}
