using System.ComponentModel.DataAnnotations;

namespace MlOps.Inference;

/// <summary>Settings of the section <c>Inference</c>; every one has a working default.</summary>
internal sealed record InferenceOptions
{
    /// <summary>
    /// Versions kept in memory, the longest unused go first; those an alias points to are never unloaded and may exceed it.
    /// Default 32.
    /// </summary>
    [Range(1, 10_000)]
    public int MaxLoadedVersions { get; init; } = 32;

    /// <summary>
    /// Bytes the loaded versions may take together, by the estimate in docs/inference/models.md, under the same rule as
    /// their number. Default 0: no such bound.
    /// </summary>
    [Range(0L, long.MaxValue)]
    public long MemoryBudget { get; init; }

    /// <summary>Longest time an event of the registry may be lost without effect. Default 30 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "01:00:00")]
    public TimeSpan RefreshInterval { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Longest a request waits for its version to load; an earlier deadline of its own wins. Default 30 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:10:00")]
    public TimeSpan LoadTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Longest a request waits for its features; an earlier deadline of its own wins. Default 2 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.01", "00:01:00")]
    public TimeSpan FeatureTimeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Model of calls to <c>/invocations</c> that name none; default none: then the only model there is.</summary>
    [Required(AllowEmptyStrings = true)]
    public string InvocationsModel { get; init; } = "";

    /// <summary>
    /// Values of one request that is predicted: its inputs', of a text one more per eight bytes, and one answer a row.
    /// What the log keeps of it then fits into one message of the broker. Default, and most, 1,000,000.
    /// </summary>
    [Range(1, 1_000_000)]
    public int MaxRequestValues { get; init; } = 1_000_000;

    /// <summary>Replays that may be under way at once; the next one is refused. Default 2.</summary>
    [Range(1, 100)]
    public int MaxReplays { get; init; } = 2;

    /// <summary>Bytes of model files kept on disk; the longest unused go first. Default 4 GiB.</summary>
    [Range(1L << 20, long.MaxValue)]
    public long ModelCacheBytes { get; init; } = 4L << 30;

    /// <summary>
    /// Key, in base64, of the hashes that stand for personal texts in the prediction log; replicas that share no storage
    /// need the same one. Default empty: made once in the storage folder.
    /// </summary>
    [Required(AllowEmptyStrings = true), Base64String]
    public string MaskingKey { get; init; } = "";

    /// <summary>Bytes of prediction log that may wait for the broker; beyond it the oldest are dropped. Default 256 MiB.</summary>
    [Range(64L << 10, long.MaxValue)]
    public long JournalMaxBytes { get; init; } = 256L << 20;

    /// <summary>
    /// Bytes of segments larger than a message of the broker that are kept for people; beyond it the oldest are deleted.
    /// Default 64 MiB.
    /// </summary>
    [Range(0L, long.MaxValue)]
    public long JournalRefusedBytes { get; init; } = 64L << 20;

    /// <summary>What the extension <c>namespace</c> of CloudEvents says. Default nothing.</summary>
    [Required(AllowEmptyStrings = true)]
    public string CloudEventsNamespace { get; init; } = "";

    /// <summary>Bytes of CloudEvents that may wait for one address; beyond it new ones are dropped. Default 16 MiB.</summary>
    [Range(64L << 10, 1L << 32)]
    public long CloudEventsQueueBytes { get; init; } = 16L << 20;

    /// <summary>Values of a request, and one answer a row, that are written as CloudEvents; larger ones are dropped. Default 10,000.</summary>
    [Range(1, 1_000_000)]
    public int CloudEventsMaxValues { get; init; } = 10_000;

    /// <summary>Bytes after which a journal segment is closed and published. Default 256 KiB.</summary>
    [Range(1 << 10, 4 << 20)]
    public int JournalSegmentBytes { get; init; } = 256 << 10;

    /// <summary>Age after which a journal segment is closed and published. Default 500 ms.</summary>
    [Range(typeof(TimeSpan), "00:00:00.01", "00:01:00")]
    public TimeSpan JournalSegmentAge { get; init; } = TimeSpan.FromMilliseconds(500);
}
