using MlOps.Gateway.Rollouts.Judgement;
using MlOps.Gateway.Splits;
using Wire = MlOps.Contracts.Gateway.V1;

namespace MlOps.Gateway.Rollouts;

/// <summary>A version of a model on its way to stand for it, or back.</summary>
internal sealed record Rollout(
    Guid Id, string Model, int Version, int StableVersion, string Phase, bool IsPaused, RolloutPlan Plan, RolloutState State,
    string Source, string Actor, string Reason, long Stamp, DateTimeOffset CreatedAt, DateTimeOffset UpdatedAt, DateTimeOffset? EndedAt)
{
    /// <summary>The last look; null before the first.</summary>
    public Findings? Findings { get; init; }

    /// <summary>What the last shadow step has found so far; null: there was none.</summary>
    public Wire.ShadowReport? Shadow { get; init; }

    /// <summary>The step under way; null past the last.</summary>
    public RolloutStep? Step => State.Step < Plan.Steps.Count ? Plan.Steps[State.Step] : null;

    public bool IsOver => RolloutPhase.IsOver(Phase);
}

/// <summary>Where a rollout stands, all that another replica needs to go on with it.</summary>
internal sealed record RolloutState
{
    /// <summary>Place of the step under way, from 0; the number of steps when all are done.</summary>
    public int Step { get; init; }

    /// <summary>When the step, or the phase, began.</summary>
    public DateTimeOffset Since { get; init; }

    /// <summary>The canary's share of subjects, 0 to 1.</summary>
    public double Weight { get; init; }

    public double Coverage { get; init; } = 1;

    /// <summary>Share of the requests that the version gets copies of; 0: none.</summary>
    public double ShadowRate { get; init; }

    /// <summary>Of the policy the rollout has set; 0: none.</summary>
    public long Revision { get; init; }

    /// <summary>Times of a constant split, in order; the last one is under way.</summary>
    public IReadOnlyList<RolloutStratum> Strata { get; init; } = [];

    /// <summary>The policy that was there before and comes back; null: none.</summary>
    public TrafficPolicy? Before { get; init; }

    /// <summary>The bucket of latency from which on a request is slow, by the baseline at the start; null: not known yet.</summary>
    public int? SlowBucket { get; init; }

    /// <summary>The phase that Terminating leads to.</summary>
    public string Outcome { get; init; } = "";

    /// <summary>What happened last, or is waited for.</summary>
    public string Message { get; init; } = "";
}

/// <summary>The policy's revision tells its outcomes from others; until is null while it is in force.</summary>
internal sealed record RolloutStratum(long Revision, double Weight, DateTimeOffset From, DateTimeOffset? Until);
