using System.ComponentModel.DataAnnotations;

namespace MlOps.Inference.Admission;

/// <summary>When a replica refuses requests: section <c>Inference:Admission</c>.</summary>
internal sealed record AdmissionOptions
{
    /// <summary>
    /// Longest that requests may stand in line for a thread before fewer are let in. Default 20 ms, which WeChat's services
    /// run with (Zhou et al., Overload Control for Scaling WeChat Microservices, SoCC 2018).
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "00:00:10")]
    public TimeSpan TargetDelay { get; init; } = TimeSpan.FromMilliseconds(20);

    /// <summary>Most requests under way or in line at once, whatever their delay. Default 1,000.</summary>
    [Range(1, 1_000_000)]
    public int MaxConcurrency { get; init; } = 1_000;

    /// <summary>
    /// Fewest that are let in however long the line is, so that a replica that is slow for other reasons, just started or short
    /// of processors, does not refuse the few there are. Default 128; never more than the most.
    /// </summary>
    [Range(1, 1_000_000)]
    public int MinConcurrency { get; init; } = 128;
}
