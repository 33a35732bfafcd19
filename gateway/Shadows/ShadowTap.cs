using Microsoft.Extensions.Options;
using MlOps.Gateway.Rollouts.Observations;
using MlOps.Gateway.Routes;
using MlOps.Gateway.Splits;

namespace MlOps.Gateway.Shadows;

/// <summary>Decides which requests are copied, and copies them as they pass.</summary>
internal sealed class ShadowTaps(ShadowBudget budget, ShadowQueue queue, IOptions<ShadowOptions> options)
{
    private const double Places = 1L << 53;

    /// <summary>
    /// To be called before the request is forwarded. A request is in the sample of a shadow by a hash of its id, the same on every
    /// replica, so that its repetition is, too; one without an id is in it by chance. A larger rate holds every smaller one.
    /// </summary>
    public void Begin(HttpContext http, SplitShadow[] shadows)
    {
        var place = (SubjectKey.Of(SplitHeaders.One(http.Request.Headers[SplitHeaders.RequestId])) >> 11) / Places;
        SplitShadow[] taken = [.. shadows.Where(s => place < s.Rate)];
        if (taken.Length == 0) return;
        var body = new CopiedBody(http.Request.Body, http.Request.ContentLength, budget, options.Value.MaxCopyBytes);
        http.Request.Body = body;
        http.Features.Set(new ShadowTap(body, taken, budget, queue));
    }
}

/// <summary>Waits, as a feature of a request that is copied, for its answer; then the copy goes to the queue, and nobody waits for it.</summary>
internal sealed class ShadowTap(CopiedBody body, SplitShadow[] shadows, ShadowBudget budget, ShadowQueue queue)
{
    public void End(HttpContext http)
    {
        var version = http.Response.Headers[SplitHeaders.Version].ToString();
        // A version beside itself tells nothing.
        var asked = shadows.Where(s => s.Version != version).ToArray();
        var isShed = Observation.IsFailure(http) is null;
        var copied = body.Take();
        // Who refuses the live request for want of capacity is not asked again; nor for a caller who left.
        if (asked.Length == 0 || isShed || http.RequestAborted.IsCancellationRequested || copied is null)
        {
            if (copied is not null) budget.Give(copied.Length);
            foreach (var shadow in asked) shadow.Count(body.IsCrowdedOut ? ShadowOutcome.Dropped : ShadowOutcome.NotCopied);
            return;
        }

        // Of a failure there is no prediction; its shadow is beside one that the log does not know.
        var live = http.Response.Headers[SplitHeaders.PredictionId].ToString();
        var hasAnswered = Observation.IsFailure(http) is false;
        var copy = new ShadowCopy(
            http, GrpcAnswer.IsGrpc(http.Request), copied, live.Length == 32 ? live : Guid.NewGuid().ToString("N"), hasAnswered, budget, asked.Length);
        foreach (var shadow in asked) queue.Add(copy, shadow);
    }
}
