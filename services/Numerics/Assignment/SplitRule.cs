namespace MlOps.Numerics.Assignment;

/// <summary>
/// Who gets which arm: the one rule of every request, stream and batch, so that a subject meets the same arm everywhere. In
/// turn the holdout, the experiment's range of its layer, and the arms' ranges decide, each by a hash of its own.
/// </summary>
/// <param name="salt">Seed of the arms' hash.</param>
/// <param name="weights">Shares of the arms in order, not negative, with a sum of at most 1.</param>
/// <param name="coverage">Share, 0 to 1, of each arm's range in use.</param>
/// <param name="layer">Null: the experiment shares its subjects with all others.</param>
/// <param name="holdout">Null: nobody is held out.</param>
public sealed class SplitRule(
    string salt, ReadOnlySpan<double> weights, double coverage = 1, LayerRange? layer = null, Holdout? holdout = null)
{
    private readonly double[] _weights = weights.ToArray();

    /// <summary>The same place for the same subject, for ever. Allocates nothing.</summary>
    public Placement Place(ReadOnlySpan<char> subject)
    {
        if (holdout is not null && holdout.Has(subject)) return new Placement(0, PlacementReason.HeldOut);
        if (layer is not null && !layer.Has(subject)) return new Placement(0, PlacementReason.Outside);
        var arm = ArmRanges.Choose(_weights, coverage, SubjectHash.Bucket(salt, subject));
        return arm < 0 ? new Placement(0, PlacementReason.Outside) : new Placement(arm, PlacementReason.Assigned);
    }
}

/// <summary>A subject's arm and why it is that one.</summary>
public readonly record struct Placement(int Arm, PlacementReason Reason);

/// <summary>Only those assigned take part in the experiment; the others get its first arm.</summary>
public enum PlacementReason
{
    /// <summary>By its place among the arms' ranges.</summary>
    Assigned,

    /// <summary>Beyond the coverage, or in another part of the layer.</summary>
    Outside,

    /// <summary>In no experiment at all.</summary>
    HeldOut,
}
