using System.Diagnostics;
using Microsoft.Extensions.Primitives;
using MlOps.Numerics.Assignment;

namespace MlOps.Gateway.Splits;

/// <summary>Why a request got its arm.</summary>
internal enum AssignmentReason
{
    /// <summary>Its subject's place among the arms' ranges; only these take part in the experiment.</summary>
    Assigned,

    /// <summary>The subject is beyond the coverage or in another part of the layer, so it got the first arm.</summary>
    Outside,

    /// <summary>The subject is held out of all experiments, so it got the first arm.</summary>
    HeldOut,

    /// <summary>A tester asked for the arm.</summary>
    Forced,
}

/// <summary>An arm and why a request got it, ready made: as a feature of the request it tells whoever comes later.</summary>
internal sealed class Assignment(SplitArm arm, AssignmentReason reason)
{
    private readonly TagList _tags = new(
    [
        new("model", arm.Model), new("arm", arm.Policy.Name), new("version", arm.Policy.Version), new("assignment", Word(reason)),
    ]);

    public SplitArm Arm { get; } = arm;

    public AssignmentReason Why { get; } = reason;

    /// <summary>As the caller is told.</summary>
    public StringValues Reason { get; } = Word(reason);

    public static AssignmentReason ReasonOf(PlacementReason reason) => reason switch
    {
        PlacementReason.Assigned => AssignmentReason.Assigned,
        PlacementReason.HeldOut => AssignmentReason.HeldOut,
        _ => AssignmentReason.Outside,
    };

    public void Record(GatewayMetrics metrics)
    {
        Arm.Count.Add(Why);
        metrics.Assignments.Add(1, in _tags);
    }

    public void Describe(Activity activity)
    {
        activity.SetTag("mlops.model", Arm.Model);
        activity.SetTag("mlops.variant", Arm.Policy.Name);
        activity.SetTag("mlops.version", Arm.Policy.Version);
        activity.SetTag("mlops.assignment", Reason.ToString());
    }

    private static string Word(AssignmentReason reason) => reason switch
    {
        AssignmentReason.Assigned => "assigned",
        AssignmentReason.HeldOut => "held-out",
        AssignmentReason.Forced => "forced",
        _ => "outside",
    };
}
