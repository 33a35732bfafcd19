namespace MlOps.Inference.Predictions;

/// <summary>How a looked-up value is to be taken.</summary>
internal enum FeatureCondition
{
    Present,
    Missing,
    Stale,
}
