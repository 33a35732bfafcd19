namespace MlOps.Gateway.Rollouts;

/// <summary>
/// What a shadow step asks of whoever mirrors traffic. A gateway without one refuses plans with such a step.
/// </summary>
internal interface IShadowSamples
{
    /// <summary>
    /// Sees to it that requests of the rollout's model are answered by its version as well, beside the stable one, and answers how
    /// many have been since <paramref name="since"/>. Asked at every look until the step has its samples; idempotent.
    /// </summary>
    Task<long> CountAsync(Rollout rollout, DateTimeOffset since, CancellationToken ct);

    /// <summary>The step is over, or the rollout is: no copies are needed for it any more. Idempotent.</summary>
    Task EndAsync(Rollout rollout, CancellationToken ct);
}
