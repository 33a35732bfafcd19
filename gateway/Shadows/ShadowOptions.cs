using System.ComponentModel.DataAnnotations;

namespace MlOps.Gateway.Shadows;

/// <summary>What copies for shadows may cost; section <c>Shadows</c>.</summary>
internal sealed record ShadowOptions
{
    /// <summary>Largest request that is copied, in bytes.</summary>
    [Range(1024, 64 * 1024 * 1024)]
    public int MaxCopyBytes { get; init; } = 1024 * 1024;

    /// <summary>Bytes of all copies, those being made and those that wait; beyond it requests are not copied.</summary>
    [Range(64L * 1024, 4L * 1024 * 1024 * 1024)]
    public long MaxBytes { get; init; } = 64 * 1024 * 1024;

    /// <summary>Copies that wait to be sent; beyond it new ones are dropped.</summary>
    [Range(1, 100_000)]
    public int MaxWaiting { get; init; } = 1_000;

    /// <summary>Copies that are with Inference at a time.</summary>
    [Range(1, 256)]
    public int Concurrency { get; init; } = 8;

    /// <summary>How long a shadow has to answer.</summary>
    [Range(typeof(TimeSpan), "00:00:00.05", "00:05:00")]
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(10);
}
