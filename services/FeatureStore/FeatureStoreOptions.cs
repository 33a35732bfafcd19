using System.ComponentModel.DataAnnotations;

namespace MlOps.FeatureStore;

/// <summary>The online store in Redis; section <c>Online</c>.</summary>
internal sealed record OnlineOptions
{
    /// <summary>First part of every key, so that several platforms can share a Redis. Default <c>mlops</c>.</summary>
    [Required, RegularExpression("^[a-zA-Z0-9_-]{1,40}$")]
    public string KeyPrefix { get; init; } = "mlops";

    /// <summary>How long a read or a batch of writes may take before Redis counts as away. Default 1 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:01:00")]
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// How long a key outlives its last materialization, at least; a view's ttl and a day when that is longer. Default 30 days.
    /// </summary>
    [Range(typeof(TimeSpan), "00:01:00", "3650.00:00:00")]
    public TimeSpan Retention { get; init; } = TimeSpan.FromDays(30);

    /// <summary>Most values (rows × selections) of one read. Default 20,000.</summary>
    [Range(1, 1_000_000)]
    public int MostValues { get; init; } = 20_000;
}

/// <summary>Files of the service; section <c>Storage</c>.</summary>
internal sealed record StorageOptions
{
    /// <summary>Folder for snapshots; made when missing.</summary>
    [Required]
    public string Folder { get; init; } = "";
}
