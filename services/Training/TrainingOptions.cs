using System.ComponentModel.DataAnnotations;

namespace MlOps.Training;

/// <summary>Section <c>Training</c>.</summary>
internal sealed record TrainingOptions
{
    /// <summary>Trials this process runs at once; each uses one thread. Default 1.</summary>
    [Range(1, 64)]
    public int ConcurrentTrials { get; init; } = 1;

    /// <summary>Snapshots kept on disk; the least recently used goes first. Default 8.</summary>
    [Range(1, 1000)]
    public int SnapshotsOnDisk { get; init; } = 8;

    /// <summary>How long reading a snapshot from FeatureStore may take. Default 10 minutes.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "06:00:00")]
    public TimeSpan SnapshotTimeout { get; init; } = TimeSpan.FromMinutes(10);
}
