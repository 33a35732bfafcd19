using MlOps.Gateway.Splits;
using MlOps.ServiceDefaults;

namespace MlOps.Gateway.Experiments;

/// <summary>A split changed by somebody else would make an experiment's arms differ by more than their version.</summary>
internal static class PolicyGuard
{
    /// <exception cref="ConflictException">MODEL_IS_SPLIT: an experiment of the model runs; it is ended first.</exception>
    public static async Task ThrowIfRunningAsync(TrafficPolicyChanges.Turn turn, string model, CancellationToken ct)
    {
        var running = await turn.Transaction.QueryFirstOrDefaultAsync(
            "select name from experiment where model = $1 and state = 'running'", [model], r => r.GetString(0), ct);
        if (running is not null)
        {
            throw new ConflictException(
                "MODEL_IS_SPLIT", $"The experiment {running} splits the traffic of {model}; stop or decide it, then change the policy.");
        }
    }
}
