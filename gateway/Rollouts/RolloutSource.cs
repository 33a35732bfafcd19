namespace MlOps.Gateway.Rollouts;

/// <summary>What began a rollout.</summary>
internal static class RolloutSource
{
    public const string Api = "api";

    /// <summary>A version got the alias "challenger".</summary>
    public const string Alias = "alias";
}
