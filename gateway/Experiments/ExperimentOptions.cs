using System.ComponentModel.DataAnnotations;

namespace MlOps.Gateway.Experiments;

/// <summary>How experiments are looked after; section <c>Experiments</c>.</summary>
internal sealed record ExperimentOptions
{
    /// <summary>How often a replica looks whether a stop rule has found something, or weights are to move; one replica does each time.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "01:00:00")]
    public TimeSpan LookInterval { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How long after a change of the split requests do not count, for other replicas may still split by the one before; longer
    /// than <c>Gateway:PolicyCheckInterval</c>.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:10:00")]
    public TimeSpan SettleTime { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long Monitoring may take to sum up an experiment.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:10:00")]
    public TimeSpan ReadPatience { get; init; } = TimeSpan.FromSeconds(30);
}
