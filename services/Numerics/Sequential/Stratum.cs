namespace MlOps.Numerics.Sequential;

/// <summary>
/// Both arms over a time in which the split did not change. Only such are compared with each other: over a ramp the
/// canary's traffic lies later than the baseline's, and the hour would pass for the model.
/// </summary>
public readonly record struct Stratum(ArmMoments Baseline, ArmMoments Canary);
