using MlOps.Numerics.Sequential;

namespace MlOps.Gateway.Rollouts.Judgement;

/// <summary>What one look at a rollout found.</summary>
internal sealed record Findings(DateTimeOffset At, IReadOnlyList<RuleFinding> Rules, RatioFinding? Ratio, string Summary)
{
    /// <summary>The first rule that is broken; null: none is.</summary>
    public RuleFinding? Broken => Rules.FirstOrDefault(r => r.Verdict == RuleFinding.BrokenWord);

    public bool IsMismatch => Ratio is { IsMismatch: true };

    /// <summary>
    /// Requests the canary has had at the present split; null: it is compared with nothing now. A version can be well until it has
    /// more to do, so that evidence from smaller shares alone does not lead further.
    /// </summary>
    public long? AtThisSplit { get; init; }

    private long MissingAtThisSplit => AtThisSplit is { } seen ? Math.Max(0, RolloutJudge.LeastObservations - seen) : 0;

    /// <summary>
    /// Whether the evidence is there to go on: on the way guardrails and limits that need no labels, before the promotion all
    /// that are not only watched.
    /// </summary>
    public bool Allows(bool isPromotion) => !IsMismatch && MissingAtThisSplit == 0 && Rules.All(r =>
        r.Verdict == RuleFinding.KeptWord
        || r.IsWatched
        || (!isPromotion && (r.Aim == "goal" || RolloutMetric.NeedsLabels(r.Metric)) && r.Verdict == RuleFinding.OpenWord));

    /// <summary>What keeps it from going on, in words.</summary>
    public string Missing(bool isPromotion)
    {
        if (Ratio is { IsMismatch: true } ratio)
        {
            return FormattableString.Invariant(
                $"sample ratio mismatch: {ratio.Stable:N0} subjects on stable, {ratio.Canary:N0} on the canary, p = {ratio.SequentialPValue:0.######}");
        }

        var open = Rules.Where(r => r.Verdict == RuleFinding.OpenWord && !r.IsWatched
            && (isPromotion || (r.Aim != "goal" && !RolloutMetric.NeedsLabels(r.Metric)))).Select(r => r.Message);
        return string.Join(
            "; ", MissingAtThisSplit > 0 ? open.Append($"needs {MissingAtThisSplit} more requests of the canary at this split") : open);
    }
}

/// <summary>
/// A rule as it stands. The difference is canary less baseline (of a limit: the canary itself), lower and upper bound it at
/// every look at once, the margin is what it is held against; null: nothing is known. More needed is how many more
/// observations of the canary decide at the present estimate; null: none do.
/// </summary>
internal sealed record RuleFinding(
    string Metric, string Aim, bool IsWatched, string Verdict, double Baseline, double Canary, double BaselineCount, double CanaryCount,
    double Difference, double? Lower, double? Upper, double Margin, double PValue, double? MoreNeeded, string Message)
{
    public const string OpenWord = "inconclusive";
    public const string KeptWord = "kept";
    public const string BrokenWord = "broken";

    /// <summary>Of latency: what counts as slow, in milliseconds; null: not known yet.</summary>
    public double? ThresholdMs { get; init; }
}

/// <summary>Subjects per arm against the weights: p of one look, and p that holds at every look over all steps.</summary>
internal sealed record RatioFinding(long Stable, long Canary, double PValue, double SequentialPValue, bool IsMismatch);
