using System.Security.Cryptography;
using Microsoft.Extensions.Primitives;
using MlOps.Gateway.Rollouts.Observations;
using MlOps.Gateway.Shadows;
using MlOps.Gateway.Splits.Subjects;
using MlOps.Numerics.Assignment;

namespace MlOps.Gateway.Splits;

/// <summary>A policy made ready for requests: choosing an arm allocates nothing and gives the same arm for the same subject.</summary>
internal sealed class Split
{
    // Requests without any name are numbered, differently in every process.
    private static readonly string Nameless = Convert.ToHexString(RandomNumberGenerator.GetBytes(8));
    private static long _nameless;

    private readonly SplitRule _rule;
    private readonly SplitArm[] _arms;

    public Split(TrafficPolicy policy, AssignmentCounts counts, Holdout? holdout = null, ObservedPolicy? observed = null, SplitShadow[]? shadows = null)
    {
        Policy = policy;
        Observed = observed;
        Shadows = shadows ?? [];
        SubjectField = SubjectField.Of(policy);
        ReadsOwnHeader = policy.SubjectHeader != TrafficPolicy.DefaultSubjectHeader;
        _rule = new SplitRule(
            policy.Salt, [.. policy.Arms.Select(a => a.Weight)], policy.Coverage,
            policy.Layer is { } layer ? new LayerRange(layer.Name, layer.Start, layer.End) : null,
            // A policy of one arm is no experiment that anybody could be held out of.
            policy.Arms.Count > 1 && holdout is { Share: > 0 } ? holdout : null);
        _arms = [.. policy.Arms.Select((a, i) => new SplitArm(policy.Model, a, i, counts))];
    }

    public TrafficPolicy Policy { get; }

    /// <summary>Where what comes of the requests is counted; null: nobody asks.</summary>
    public ObservedPolicy? Observed { get; }

    /// <summary>Who gets copies of the requests; empty: nobody.</summary>
    public SplitShadow[] Shadows { get; }

    /// <summary>Where the body holds the subject; null: only the header counts.</summary>
    public SubjectField? SubjectField { get; }

    /// <summary>True when the subject comes in another header than the usual one.</summary>
    public bool ReadsOwnHeader { get; }

    public bool HasSubject(IHeaderDictionary headers) => !StringValues.IsNullOrEmpty(headers[Policy.SubjectHeader]);

    /// <summary>The arm of a subject; a request without one has its id instead, and one without an id a place of its own.</summary>
    public Assignment Choose(ReadOnlySpan<char> subject)
    {
        if (subject.IsEmpty) return ChooseNameless();
        var placement = _rule.Place(subject);
        return _arms[placement.Arm].By(Assignment.ReasonOf(placement.Reason));
    }

    /// <summary>Null: there is no arm of that name.</summary>
    public SplitArm? Find(ReadOnlySpan<char> arm)
    {
        foreach (var candidate in _arms)
        {
            if (arm.SequenceEqual(candidate.Policy.Name)) return candidate;
        }

        return null;
    }

    private Assignment ChooseNameless()
    {
        Span<char> name = stackalloc char[Nameless.Length + 20];
        Nameless.CopyTo(name);
        Interlocked.Increment(ref _nameless).TryFormat(name[Nameless.Length..], out var digits, default, null);
        return Choose(name[..(Nameless.Length + digits)]);
    }
}

/// <summary>An arm with everything a request needs of it at hand.</summary>
internal sealed class SplitArm
{
    private static readonly AssignmentReason[] Reasons = Enum.GetValues<AssignmentReason>();
    private readonly Assignment[] _assignments;

    public SplitArm(string model, PolicyArm arm, int place, AssignmentCounts counts)
    {
        Model = model;
        Policy = arm;
        Variant = arm.Name;
        Version = arm.Version;
        Place = place;
        Tier = place == 0 ? "stable" : "canary";
        Count = counts.Of(model, arm.Name, arm.Version);
        _assignments = [.. Reasons.Select(r => new Assignment(this, r))];
    }

    public string Model { get; }

    public PolicyArm Policy { get; }

    /// <summary>Among the policy's arms, from 0.</summary>
    public int Place { get; }

    public StringValues Variant { get; }

    public StringValues Version { get; }

    /// <summary>The first arm is the one that must go on when there is too much to do.</summary>
    public StringValues Tier { get; }

    public AssignmentCounts.Count Count { get; }

    public Assignment By(AssignmentReason reason) => _assignments[(int)reason];
}
