using System.ComponentModel.DataAnnotations;

namespace MlOps.Gateway.Rollouts;

/// <summary>How rollouts are driven; section <c>Rollouts</c>.</summary>
internal sealed record RolloutOptions
{
    /// <summary>Whether a version that gets the alias "challenger" begins a rollout with the default plan.</summary>
    public bool StartOnChallenger { get; init; } = true;

    /// <summary>How often each replica writes down what it counted.</summary>
    [Range(typeof(TimeSpan), "00:00:00.05", "00:01:00")]
    public TimeSpan FlushInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How often a rollout is looked at.</summary>
    [Range(typeof(TimeSpan), "00:00:00.05", "00:01:00")]
    public TimeSpan LookInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How often Monitoring is asked for predictions, flags and errors, where a rule needs them.</summary>
    [Range(typeof(TimeSpan), "00:00:00.05", "01:00:00")]
    public TimeSpan MonitoringInterval { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>After a replica that drives rollouts has died, another goes on within this time.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:10:00")]
    public TimeSpan Lease { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long an inference replica has to follow a moved alias before the policy is taken away.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:10:00")]
    public TimeSpan SettleTime { get; init; } = TimeSpan.FromSeconds(5);
}
