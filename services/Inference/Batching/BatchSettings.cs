using System.ComponentModel.DataAnnotations;

namespace MlOps.Inference.Batching;

/// <summary>How requests of a model share runs: part <c>Batching</c> of its settings.</summary>
internal sealed record BatchSettings
{
    /// <summary>Default auto.</summary>
    [EnumDataType(typeof(BatchMode))]
    public BatchMode Mode { get; init; }

    /// <summary>Most rows of a run that requests share; larger requests run alone. Default 32.</summary>
    [Range(2, 4_096)]
    public int MaxRows { get; init; } = 32;

    /// <summary>Sizes that are waited for no longer than anything else, but not exceeded by a few rows. Default none.</summary>
    public int[] PreferredRows { get; init; } = [];

    /// <summary>
    /// Time from arrival at the line to the answer that 99 of 100 requests are to keep; batches are made smaller until they
    /// do. Default 50 ms.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "00:01:00")]
    public TimeSpan TargetLatency { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>Longest a request stands in line before it is refused. Default 1 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "00:10:00")]
    public TimeSpan MaxWait { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Most rows that stand in line; beyond it the lower tiers go first. Default 1,000.</summary>
    [Range(1, 1_000_000)]
    public int MaxWaitingRows { get; init; } = 1_000;

    /// <summary>
    /// What a row must cost less in a batch than alone, for the mode auto: to hand a request to another thread and back
    /// costs several microseconds. Default 10 µs; zero: whatever it costs.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:00:01")]
    public TimeSpan MinGain { get; init; } = TimeSpan.FromMicroseconds(10);

    /// <summary>Runs of one model at once. Default one fewer than there are processors: the last one reads requests.</summary>
    [Range(1, 1_024)]
    public int MaxRuns { get; init; } = Math.Max(1, Environment.ProcessorCount - 1);
}
