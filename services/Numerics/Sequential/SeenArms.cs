namespace MlOps.Numerics.Sequential;

/// <summary>What was seen of both arms over all strata; the means are weighted as <see cref="Contrast"/> weights them.</summary>
internal readonly record struct SeenArms(
    double Baseline, double Canary, double BaselineCount, double CanaryCount, double BaselineEvents, double CanaryEvents)
{
    public static SeenArms Of(ReadOnlySpan<Stratum> strata, bool isCanaryAlone)
    {
        var seen = default(SeenArms);
        var (weights, baseline, canary) = (0.0, 0.0, 0.0);
        foreach (var (b, c) in strata)
        {
            var weight = Contrast.WeightOf(b, c, isCanaryAlone);
            weights += weight;
            baseline += weight * b.Mean;
            canary += weight * c.Mean;
            seen = seen with
            {
                BaselineCount = seen.BaselineCount + b.Count,
                CanaryCount = seen.CanaryCount + c.Count,
                BaselineEvents = seen.BaselineEvents + b.Events,
                CanaryEvents = seen.CanaryEvents + c.Events,
            };
        }

        return weights > 0 ? seen with { Baseline = baseline / weights, Canary = canary / weights } : seen;
    }
}
