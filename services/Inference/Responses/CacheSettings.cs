using System.ComponentModel.DataAnnotations;

namespace MlOps.Inference.Responses;

/// <summary>Which answers of a model are kept for requests with the same inputs: part <c>Cache</c> of its settings.</summary>
internal sealed record CacheSettings
{
    /// <summary>Bytes of inputs and outputs kept for each version; beyond it the longest unused go. Default 0: none are kept.</summary>
    [Range(0L, 1L << 40)]
    public long MaxBytes { get; init; }

    /// <summary>How long an answer is kept. Default 1 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "365.00:00:00")]
    public TimeSpan TimeToLive { get; init; } = TimeSpan.FromMinutes(1);
}
