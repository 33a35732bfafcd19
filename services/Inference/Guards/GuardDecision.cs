namespace MlOps.Inference.Guards;

/// <summary>What was decided; the first are the guard's, the last the feature policies'.</summary>
internal enum GuardDecision
{
    Pass,
    Flag,
    Reject,
    Fallback,
    Leave,
    Fail,
    Default,
    Impute,
}
