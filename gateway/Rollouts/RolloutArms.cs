using MlOps.Gateway.Splits;

namespace MlOps.Gateway.Rollouts;

/// <summary>
/// The split of a rollout. The canary stands last, so that its range ends at 1 whatever its weight: as it grows, subjects are
/// only ever added to it.
/// </summary>
internal static class RolloutArms
{
    public const string Stable = "stable";

    public const string Canary = "canary";

    /// <param name="weight">Of the canary, 0 to 1.</param>
    /// <param name="stable">Version of the first arm.</param>
    /// <param name="canary">Version of the last.</param>
    public static IReadOnlyList<PolicyArm> At(double weight, int stable, int canary) =>
    [
        new(Stable, FormattableString.Invariant($"{stable}"), 1 - weight),
        new(Canary, FormattableString.Invariant($"{canary}"), weight),
    ];

    /// <summary>Everybody back to the version that was there before.</summary>
    public static IReadOnlyList<PolicyArm> Only(string name, int version) => [new(name, FormattableString.Invariant($"{version}"), 1)];
}
