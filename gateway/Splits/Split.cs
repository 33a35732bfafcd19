using System.Diagnostics;
using System.Security.Cryptography;
using Microsoft.Extensions.Primitives;
using MlOps.Numerics.Assignment;

namespace MlOps.Gateway.Splits;

/// <summary>A policy made ready for requests: choosing an arm allocates nothing and gives the same arm for the same subject.</summary>
internal sealed class Split
{
    private readonly double[] _weights;
    private readonly SplitArm[] _arms;

    public Split(TrafficPolicy policy, AssignmentCounts counts)
    {
        Policy = policy;
        _weights = [.. policy.Arms.Select(a => a.Weight)];
        _arms = [.. policy.Arms.Select(a => new SplitArm(policy.Model, a, counts))];
    }

    public TrafficPolicy Policy { get; }

    /// <summary>True when the subject comes in another header than the usual one.</summary>
    public bool ReadsOwnHeader => Policy.SubjectHeader != TrafficPolicy.DefaultSubjectHeader;

    /// <summary>The arm of a subject; one without a name gets a place of its own for this request only.</summary>
    public SplitArm Choose(string? subject)
    {
        var bucket = string.IsNullOrEmpty(subject)
            ? RandomNumberGenerator.GetInt32(10_000) / 10_000.0
            : SubjectHash.Bucket(Policy.Salt, subject);
        var arm = ArmRanges.Choose(_weights, Policy.Coverage, bucket);
        return _arms[Math.Max(arm, 0)];
    }
}

/// <summary>An arm with everything a request needs of it at hand.</summary>
internal sealed class SplitArm(string model, PolicyArm arm, AssignmentCounts counts)
{
    private readonly AssignmentCounts.Count _count = counts.Of(model, arm.Name, arm.Version);
    private readonly TagList _tags = new([new("model", model), new("arm", arm.Name), new("version", arm.Version)]);

    public StringValues Variant { get; } = arm.Name;

    public StringValues Version { get; } = arm.Version;

    public void Record(GatewayMetrics metrics)
    {
        _count.Add();
        metrics.Assignments.Add(1, in _tags);
    }

    public void Describe(Activity activity)
    {
        activity.SetTag("mlops.model", model);
        activity.SetTag("mlops.variant", arm.Name);
        activity.SetTag("mlops.version", arm.Version);
    }
}
