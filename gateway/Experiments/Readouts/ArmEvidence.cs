using MlOps.Numerics.Experiments;
using MlOps.Numerics.Sequential;

namespace MlOps.Gateway.Experiments.Readouts;

/// <summary>The cells of an experiment laid out by arm and period, the same periods for every arm.</summary>
internal sealed class ArmEvidence
{
    private readonly ExperimentPlan _plan;
    private readonly ExperimentPeriod[] _periods;
    private readonly Dictionary<(string Arm, int Period), EvidenceCell> _cells;

    public ArmEvidence(ExperimentPlan plan, IReadOnlyList<ExperimentPeriod> periods, IEnumerable<EvidenceCell> cells)
    {
        _plan = plan;
        _cells = cells.ToDictionary(c => (c.Arm, c.Period));
        // Periods without any subject say nothing.
        _periods = [.. periods.Where(p => plan.Arms.Any(a => _cells.ContainsKey((a.Name, p.Number))))];
    }

    public IReadOnlyList<ExperimentPeriod> Periods => _periods;

    public long Subjects(string arm) => _periods.Sum(p => Find(arm, p)?.Subjects ?? 0);

    public long Crossed => _cells.Values.Sum(c => c.Crossed);

    /// <summary>Of those there are, as the split lets expect.</summary>
    public double Expected(int arm) => _periods.Sum(p => p.Weights[arm] * Counts(p).Sum());

    /// <summary>
    /// Always-valid p over all periods: the least of p·t(t + 1), t counting the periods, whose chances of an alarm then sum up to no
    /// more than one period's.
    /// </summary>
    public double SampleRatioPValue() => _periods
        .Select((p, t) => SampleRatio.SequentialPValue(Counts(p), [.. p.Weights]) * (_periods.Length == 1 ? 1 : (t + 1.0) * (t + 2)))
        .Append(1).Min();

    /// <summary>Count of subjects, mean and its variance of one of the metrics (0: the primary one).</summary>
    public ArmMoments Moments(int arm, int metric) => _periods.Length switch
    {
        0 => new ArmMoments(0, 0, 0),
        1 => Sums(arm, metric, _periods[0]).Moments(IsShare(metric)),
        _ => Smooth(WeightedSums.Hajek(Weighted(arm, metric)), IsShare(metric)),
    };

    /// <summary>Of the primary metric over all arms, where it is a share: how many have it; infinite where it is none.</summary>
    public double Events() => IsShare(0)
        ? _plan.Arms.SelectMany((_, arm) => _periods.Select(p => Sums(arm, 0, p))).Sum(s => s.X)
        : double.PositiveInfinity;

    /// <summary>Treatment − control.</summary>
    public Contrast Difference(int treatment, int metric) => _periods.Length switch
    {
        0 => default,
        1 => Contrast.Of(Strata(treatment, metric), 1, -1, 0),
        _ => WeightedSums.Difference(Weighted(0, metric), Weighted(treatment, metric)),
    };

    /// <summary>Null where the weights never moved, or the metric is none per subject.</summary>
    public (double Estimate, double Error)? Unbiased(int arm, int metric) =>
        _periods.Length > 1 && MetricKind.IsPerSubject(Metric(metric).Kind) ? WeightedSums.HorvitzThompson(Weighted(arm, metric)) : null;

    /// <summary>Both arms in every period, in which the split did not change.</summary>
    public Stratum[] Strata(int treatment, int metric) =>
    [
        .. _periods.Select(p => new Stratum(
            Sums(0, metric, p).Moments(IsShare(metric)), Sums(treatment, metric, p).Moments(IsShare(metric)))),
    ];

    // As of a share within one period: none or all of a few subjects is no certainty.
    private static ArmMoments Smooth(ArmMoments moments, bool isShare)
    {
        if (!isShare || moments.Count == 0) return moments;
        var smooth = (moments.Mean * moments.Count + 2) / (moments.Count + 4);
        return moments with { MeanVariance = Math.Max(moments.MeanVariance, smooth * (1 - smooth) / moments.Count) };
    }

    private ArmPeriod[] Weighted(int arm, int metric) =>
    [
        .. _periods.Select(p => new ArmPeriod(
            Sums(arm, metric, p), p.Weights[arm], _plan.Arms.Sum(a => Find(a.Name, p) is { } c ? c.Subjects - c.Crossed : 0))),
    ];

    private long[] Counts(ExperimentPeriod period) => [.. _plan.Arms.Select(a => Find(a.Name, period)?.Subjects ?? 0)];

    private UnitSums Sums(int arm, int metric, ExperimentPeriod period) =>
        Find(_plan.Arms[arm].Name, period) is { } cell ? cell.Sums[metric] : default;

    private ExperimentMetric Metric(int metric) => metric == 0 ? _plan.Primary : _plan.Guardrails[metric - 1];

    private bool IsShare(int metric) => MetricKind.IsShare(Metric(metric).Kind);

    private EvidenceCell? Find(string arm, ExperimentPeriod period) => _cells.GetValueOrDefault((arm, period.Number));
}
