using MlOps.Gateway.Splits;

namespace MlOps.Gateway.Experiments;

/// <summary>A comparison of versions of a model on live traffic, as it stands after the change numbered by its revision.</summary>
internal sealed record Experiment(
    string Name, string Model, string State, long Revision, ExperimentPlan Plan, DateTimeOffset CreatedAt, DateTimeOffset UpdatedAt)
{
    public DateTimeOffset? StartedAt { get; init; }

    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>Of the traffic policy that is its split; 0: it has not begun.</summary>
    public long PolicyRevision { get; init; }

    /// <summary>What comes into force again when it is stopped; null: there was none.</summary>
    public TrafficPolicy? PolicyBefore { get; init; }

    public ExperimentDecision? Decision { get; init; }

    /// <summary>In order; one where the split never changed.</summary>
    public IReadOnlyList<ExperimentPeriod> Periods { get; init; } = [];
}

/// <summary>Where an experiment stands. Its state is one of these.</summary>
internal static class ExperimentState
{
    /// <summary>Declared; may be changed and deleted. No traffic takes part.</summary>
    public const string Draft = "draft";

    public const string Running = "running";

    /// <summary>Ended without a winner: the traffic policy from before is back.</summary>
    public const string Stopped = "stopped";

    /// <summary>Ended with an arm that everybody gets, or found by the stop rule.</summary>
    public const string Decided = "decided";
}

/// <summary>How an experiment ended: by whom and why, what the read-out said then, and which arm was taken; empty: none.</summary>
internal sealed record ExperimentDecision(string Arm, string Actor, string Reason, string StopState, string Recommendation);

/// <summary>A time in which the split was the same: half-open, the end null while it goes on.</summary>
internal sealed record ExperimentPeriod(
    int Number, DateTimeOffset StartsAt, DateTimeOffset? EndsAt, string Salt, IReadOnlyList<double> Weights);
