using MlOps.Contracts.Features.V1;

namespace MlOps.Inference.Predictions;

/// <summary>What the online store said of a request's rows, and by what it is judged.</summary>
/// <param name="Answer">Null: the store is away, and everything asked of it counts as missing.</param>
/// <param name="NowMicros">Time of the request.</param>
/// <param name="MaxAgeMicros">Greatest age of a value by the request; <see cref="long.MaxValue"/>: it names none.</param>
internal sealed record LookedUp(GetOnlineFeaturesResponse? Answer, long NowMicros, long MaxAgeMicros)
{
    public const string StoreAway = "UNAVAILABLE";

    /// <summary>Place of a feature among the answer's columns; −1: it is none of them.</summary>
    public int IndexOf(string name) => PredictRows.IndexOf(Answer?.Features, name);

    /// <summary>Whether the name is a feature that was asked for; without an answer nobody knows, and each may be.</summary>
    public bool Has(string name) => Answer is null || IndexOf(name) >= 0;

    public FeatureStatus StatusOf(int feature, int row) => Answer is null ? FeatureStatus.NotFound : Answer.Statuses[feature].Statuses[row];

    /// <summary>0 where unknown.</summary>
    public long EventTimeOf(int feature, int row) =>
        Answer?.Statuses[feature].EventTimeMicros is { } times && row < times.Count ? times[row] : 0;

    /// <summary>The store's word for a value, or that of the age that is allowed.</summary>
    public string WordFor(FeatureCondition condition, int feature, int row) =>
        Answer is null ? StoreAway
        : condition == FeatureCondition.Stale ? FeatureLookup.WordFor(FeatureStatus.OutsideMaxAge)
        : FeatureLookup.WordFor(StatusOf(feature, row));
}
