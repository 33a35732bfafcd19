using MlOps.Gateway.Splits;

namespace MlOps.Gateway.Rollouts.Observations;

/// <summary>The outcomes of one revision of a rollout's policy on this replica.</summary>
internal sealed class ObservedPolicy
{
    private readonly Observation[][] _observations;

    public ObservedPolicy(TrafficPolicy policy)
    {
        Policy = policy;
        Arms = [.. policy.Arms.Select(_ => new ArmOutcomes())];
        _observations =
        [
            .. Arms.Select(arm => (Observation[])[.. Enumerable.Range(0, ArmCounts.Slices).Select(s => new Observation(arm, s))]),
        ];
    }

    public TrafficPolicy Policy { get; }

    public IReadOnlyList<ArmOutcomes> Arms { get; }

    public SeenSubjects Subjects { get; } = new();

    /// <summary>Notes the subject and answers what is to be told how its request ended. Allocates nothing.</summary>
    public Observation Observe(ReadOnlySpan<char> subject, int arm)
    {
        var key = SubjectKey.Of(subject);
        Subjects.Add(key, arm);
        return _observations[arm][(int)((key >> 8) % ArmCounts.Slices)];
    }
}
