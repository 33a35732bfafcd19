using System.Globalization;
using MlOps.Contracts.Monitoring.V1;
using MlOps.Numerics.Sequential;

namespace MlOps.Gateway.Rollouts.Judgement;

/// <summary>
/// Turns evidence into findings: a function of its arguments alone. Canary and baseline are compared stratum by stratum, each a
/// time of a constant split in which both were asked at once.
/// </summary>
internal static class JudgeRollout
{
    /// <summary>The latency of the baseline that counts as slow is frozen once it is known from this many requests.</summary>
    private const int LeastForThreshold = 100;
    private const double SlowQuantile = 0.99;

    /// <summary>The bucket from which on a request is slow: the baseline's 99th percentile; null where it has too few requests.</summary>
    public static int? SlowBucket(IReadOnlyList<Evidence> evidence)
    {
        var latencies = new long[LatencyBuckets.Count];
        foreach (var stratum in evidence)
        {
            var counts = stratum.Observed.Stable.Latencies();
            for (var i = 0; i < latencies.Length; i++) latencies[i] += counts[i];
        }

        return latencies.Sum() >= LeastForThreshold ? LatencyBuckets.Quantile(latencies, SlowQuantile) : null;
    }

    public static Findings Judge(RolloutPlan plan, int? slowBucket, IReadOnlyList<Evidence> evidence, DateTimeOffset at)
    {
        var buckets = plan.Rules.Select(r => BucketOf(r, slowBucket)).ToArray();
        var verdicts = new RolloutJudge(plan.Alpha).Judge(
            [.. plan.Rules.Select((rule, i) => (RuleOf(rule), (Stratum[])[.. evidence.Select(e => StratumOf(rule, buckets[i], e))]))]);
        RuleFinding[] rules = [.. plan.Rules.Select((rule, i) => Finding(rule, verdicts[i], buckets[i]))];
        var ratio = Ratio(evidence);
        return new Findings(at, rules, ratio, Summary(rules, ratio))
        {
            AtThisSplit = evidence is [.., { Stratum.Until: null } present] ? present.Observed.Canary.Total : null,
        };
    }

    private static MetricRule RuleOf(RolloutRule rule) => new(
        rule.Metric,
        rule.Aim switch { "goal" => MetricAim.Goal, "limit" => MetricAim.Limit, _ => MetricAim.Guardrail },
        rule.Direction switch
        {
            "higher" => MetricDirection.HigherIsBetter,
            "none" => MetricDirection.NoChange,
            "" when rule.Metric == RolloutMetric.Prediction => MetricDirection.NoChange,
            _ => MetricDirection.LowerIsBetter,
        },
        rule.Absolute, rule.Relative, rule.Watch);

    private static int? BucketOf(RolloutRule rule, int? slowBucket) => rule.Metric != RolloutMetric.Latency
        ? null
        : rule.ThresholdMs is { } threshold ? LatencyBuckets.AtOrAbove((long)(threshold * 1000)) : slowBucket;

    private static Stratum StratumOf(RolloutRule rule, int? bucket, Evidence evidence)
    {
        var (stable, canary) = (evidence.Observed.Stable, evidence.Observed.Canary);
        return rule.Metric switch
        {
            RolloutMetric.Errors => new Stratum(stable.FailureShare(), canary.FailureShare()),
            RolloutMetric.Latency => bucket is { } slow ? new Stratum(stable.ShareFrom(slow), canary.ShareFrom(slow)) : default,
            _ => new Stratum(MomentsOf(rule.Metric, evidence.StableLogged), MomentsOf(rule.Metric, evidence.CanaryLogged)),
        };
    }

    private static ArmMoments MomentsOf(string metric, ArmStatistics? arm)
    {
        var moments = metric switch
        {
            RolloutMetric.Prediction => arm?.Prediction,
            RolloutMetric.Flagged => arm?.FlaggedShare,
            RolloutMetric.SquaredError => arm?.SquaredError,
            _ => arm?.AbsoluteError,
        };
        return moments is { Count: > 0 } known
            ? ArmMoments.OfMean(known.Count, known.Mean, known.M2, known.ClusteredM2)
            : default(ArmMoments) with { Events = double.NaN };
    }

    private static RuleFinding Finding(RolloutRule rule, MetricVerdict verdict, int? bucket) => new(
        rule.Metric, rule.Aim, rule.Watch,
        verdict.Verdict switch
        {
            Verdict.Kept => RuleFinding.KeptWord,
            Verdict.Broken => RuleFinding.BrokenWord,
            _ => RuleFinding.OpenWord,
        },
        verdict.Baseline, verdict.Canary, verdict.BaselineCount, verdict.CanaryCount, verdict.Difference, Known(verdict.Lower),
        Known(verdict.Upper), verdict.Margin, verdict.PValue, Known(verdict.MoreNeeded), Message(rule, verdict, bucket))
    {
        ThresholdMs = bucket is { } b ? LatencyBuckets.LowerEdge(b) / 1000.0 : null,
    };

    private static string Message(RolloutRule rule, MetricVerdict verdict, int? bucket)
    {
        var unit = RolloutMetric.NeedsLabels(rule.Metric) ? "labelled predictions"
            : rule.Metric == RolloutMetric.Prediction ? "predictions"
            : "requests";
        var name = rule.Metric == RolloutMetric.Latency && bucket is { } slow
            ? $"share slower than {Text(LatencyBuckets.LowerEdge(slow) / 1000.0)} ms"
            : rule.Metric;
        var figures = verdict.CanaryCount == 0
            ? $"{name}: nothing of the canary yet"
            : $"{name}: canary {Text(verdict.Canary)}, baseline {Text(verdict.Baseline)}, margin {Text(verdict.Margin)}";
        return verdict.Verdict switch
        {
            Verdict.Kept => $"{figures}: kept",
            Verdict.Broken => $"{figures}: broken, p = {Text(verdict.PValue)}",
            _ when double.IsInfinity(verdict.MoreNeeded) => $"{figures}: the difference is the margin, no number of {unit} decides",
            _ => string.Create(CultureInfo.InvariantCulture, $"{figures}: needs {Math.Max(1, verdict.MoreNeeded):N0} more {unit} of the canary"),
        };
    }

    private static RatioFinding? Ratio(IReadOnlyList<Evidence> evidence)
    {
        var strata = evidence.Where(e => e.Observed.StableSubjects + e.Observed.CanarySubjects > 0).ToArray();
        if (strata.Length == 0) return null;
        double Least(Func<long[], double[], double> test) => strata.Min(e =>
            test([e.Observed.StableSubjects, e.Observed.CanarySubjects], [1 - e.Stratum.Weight, e.Stratum.Weight]));
        // Each step is a test of its own.
        var one = Math.Min(1, strata.Length * Least((counts, weights) => SampleRatio.ChiSquare(counts, weights).PValue));
        var always = Math.Min(1, strata.Length * Least((counts, weights) => SampleRatio.SequentialPValue(counts, weights)));
        return new RatioFinding(
            strata.Sum(e => e.Observed.StableSubjects), strata.Sum(e => e.Observed.CanarySubjects), one, always, always < SampleRatio.Alarm);
    }

    private static string Summary(RuleFinding[] rules, RatioFinding? ratio) => string.Join(
        "; ", rules.Select(r => r.Message).Concat(ratio is { IsMismatch: true } ? ["sample ratio mismatch"] : (string[])[]));

    private static double? Known(double value) => double.IsFinite(value) ? value : null;

    private static string Text(double value) => value.ToString("0.####", CultureInfo.InvariantCulture);
}
