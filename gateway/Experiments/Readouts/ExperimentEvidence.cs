using MlOps.Numerics.Experiments;

namespace MlOps.Gateway.Experiments.Readouts;

/// <summary>The subjects of one arm in one period and segment, and the sums of the metrics: the primary one, then the guardrails.</summary>
internal sealed record EvidenceCell(string Arm, int Period, string Segment, long Subjects, long Crossed, IReadOnlyList<UnitSums> Sums);

/// <summary>What Monitoring knows of an experiment, as a whole and by the values of each input that is looked at.</summary>
internal sealed record ExperimentEvidence(
    IReadOnlyList<EvidenceCell> Cells, IReadOnlyList<(string Input, IReadOnlyList<EvidenceCell> Cells)> Segments);
