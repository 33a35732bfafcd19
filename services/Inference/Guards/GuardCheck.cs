namespace MlOps.Inference.Guards;

/// <summary>What is decided on: by the input guard, and by the policies for looked-up features.</summary>
internal enum GuardCheck
{
    Range,
    Category,
    Missing,
    FeatureMissing,
    FeatureStale,
}
