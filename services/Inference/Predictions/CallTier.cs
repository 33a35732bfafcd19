namespace MlOps.Inference.Predictions;

/// <summary>Whose request it is by the gateway's word; the higher, the sooner it is shed.</summary>
internal enum CallTier
{
    Stable,
    Canary,
    Shadow,
}
