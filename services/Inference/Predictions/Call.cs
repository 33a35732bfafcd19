using Microsoft.Extensions.Primitives;
using MlOps.Contracts.Monitoring.V1;
using MlOps.Inference.Explanations;

namespace MlOps.Inference.Predictions;

/// <summary>What a request says about itself beside its inputs: the gateway's routing hints and whose request it is.</summary>
/// <param name="Protocol">"rest", "grpc" or "batch".</param>
/// <param name="VersionHint">Version the gateway chose; empty: none.</param>
/// <param name="Variant">Arm of the traffic policy; empty: none.</param>
/// <param name="SubjectHash">Hash of the subject key, never the key itself; empty: none given.</param>
/// <param name="StartedAt">Timestamp of its arrival.</param>
/// <param name="Tier">What is shed first when there is too much.</param>
/// <param name="ShadowOf">Live prediction this is a copy's answer beside; null: it is answered to a caller.</param>
/// <param name="EventId">Id the caller gave the request as a CloudEvent; empty: none.</param>
/// <param name="Deadline">Timestamp after which nobody waits for the answer.</param>
/// <param name="Explain">How the answer is to be explained; null: nobody asked.</param>
/// <param name="OnlyExplains">The answer is made only to be explained, and is none in log and counts.</param>
internal sealed record Call(
    string Protocol, string VersionHint, string Variant, string SubjectHash, long StartedAt,
    CallTier Tier = CallTier.Stable, Guid? ShadowOf = null,
    string EventId = "", long Deadline = long.MaxValue, ExplainOptions? Explain = null, bool OnlyExplains = false)
{
    public const string VersionHeader = "x-mlops-model-version";
    public const string VariantHeader = "x-mlops-variant";
    public const string SubjectHeader = "x-mlops-subject";
    public const string PredictionIdHeader = "x-mlops-prediction-id";
    public const string FlagsName = "x-mlops-flags";
    public const string TierHeader = "x-mlops-tier";
    public const string ShadowOfHeader = "x-mlops-shadow-of";
    public const string EventIdHeader = "ce-id";

    /// <summary>False: who calls writes the log's records, under ids of its own.</summary>
    public bool IsLogged { get; init; } = true;

    /// <summary>False: the version is pinned, whatever its guard finds.</summary>
    public bool MayFallBack { get; init; } = true;

    /// <summary>The prediction's id where it follows from the request; null: it is a new one.</summary>
    public Guid? PredictionId { get; init; }

    private const int MaxHeaderLength = 255;

    public static Call Begin(HttpRequest request, string protocol, TimeProvider time)
    {
        var now = time.GetTimestamp();
        return new Call(
            protocol, One(request.Headers[VersionHeader]), One(request.Headers[VariantHeader]),
            HashOf(request.Headers[SubjectHeader].ToString()), now, TierOf(request),
            Guid.TryParseExact(request.Headers[ShadowOfHeader].ToString(), "N", out var live) ? live : null,
            One(request.Headers[EventIdHeader]), GrpcTimeout.DeadlineOf(request.Headers[GrpcTimeout.Header].ToString(), now, time));
    }

    /// <summary>Explicit choice, then the gateway's; empty leaves it to the alias champion or the newest version.</summary>
    public string SelectorOf(string? explicitVersion) =>
        string.IsNullOrEmpty(explicitVersion) ? VersionHint : explicitVersion;

    /// <summary>The same call, to be explained as asked; what is made only for that is explained anyway.</summary>
    public Call Explained(ExplainOptions? options) => (options, OnlyExplains) switch
    {
        (null, false) => this,
        (null, true) => this with { Explain = ExplainOptions.Default },
        _ => this with { Explain = options },
    };

    /// <summary>Says in the answer's headers what answered.</summary>
    public void Announce(Prediction prediction, IHeaderDictionary headers)
    {
        headers[VersionHeader] = prediction.Model.VersionText;
        if (!OnlyExplains) headers[PredictionIdHeader] = prediction.Id;
        if (prediction.Flags.Count > 0) headers[FlagsName] = FlagsHeader.Of(prediction.Flags);
        if (Variant.Length > 0) headers[VariantHeader] = Variant;
    }

    public static CallTier TierOf(HttpRequest request) => request.Headers[TierHeader].ToString() switch
    {
        "canary" => CallTier.Canary,
        "shadow" => CallTier.Shadow,
        _ => CallTier.Stable,
    };

    // Only what may stand in the answer's headers again.
    private static string One(StringValues header) =>
        header.Count == 1 && header[0] is { Length: <= MaxHeaderLength } one && one.AsSpan().IndexOfAnyExceptInRange(' ', '~') < 0
            ? one
            : "";

    /// <summary>What the log has in a subject's place; empty for none.</summary>
    public static string HashOf(string subject) => HashedSubjects.HashOf(subject);
}
