using MlOps.Contracts.Monitoring.V1;
using MlOps.Gateway.Rollouts.Observations;

namespace MlOps.Gateway.Rollouts.Judgement;

/// <summary>All that is known of one stratum: what the gateways counted, and what Monitoring has of the two arms.</summary>
internal sealed record Evidence(RolloutStratum Stratum, ObservedStratum Observed, ArmStatistics? StableLogged, ArmStatistics? CanaryLogged);
