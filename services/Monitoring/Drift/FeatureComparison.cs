using MlOps.Contracts.Monitoring.V1;
using MlOps.Numerics.Profiles;
using MlOps.Numerics.Statistics;

namespace MlOps.Monitoring.Drift;

/// <summary>
/// How far a column has moved from its reference: two-sample Kolmogorov-Smirnov for numbers and the population stability
/// index for all, which decides.
/// </summary>
internal static class FeatureComparison
{
    /// <summary>Evidently's default threshold of the index.</summary>
    public const double DriftedFrom = 0.1;

    /// <summary>Compares a column with itself at training, as <paramref name="name"/>; both are of one kind.</summary>
    public static FeatureDrift Of(string name, FeatureProfile reference, CurrentColumn current) =>
        reference.Kind == FeatureKind.Numeric
            ? Numeric(name, reference, current.Numbers())
            : Categorical(name, reference, current.Categories, current.MissingCategories);

    private static FeatureDrift Numeric(string name, FeatureProfile reference, EmpiricalDistribution current)
    {
        var drift = new FeatureDrift
        {
            Name = name,
            Kind = "numeric",
            KsStatistic = double.NaN,
            KsPValue = double.NaN,
            ReferenceCount = reference.Total,
            CurrentCount = current.Total,
            ReferenceMissing = reference.Missing,
            CurrentMissing = current.Missing,
            ReferenceMean = reference.Mean ?? double.NaN,
            CurrentMean = current.Mean,
        };
        if (reference.Total == 0 || current.Total == 0) return WithoutValues(drift);

        var distribution = reference.ToDistribution();
        var test = KolmogorovSmirnov.TwoSample(distribution, current);
        (drift.KsStatistic, drift.KsPValue) = (test.Statistic, test.PValue);
        return With(drift, PopulationStabilityIndex.Numeric(distribution, current));
    }

    private static FeatureDrift Categorical(
        string name, FeatureProfile reference, IReadOnlyDictionary<string, long> current, long missing)
    {
        var drift = new FeatureDrift
        {
            Name = name,
            Kind = "categorical",
            KsStatistic = double.NaN,
            KsPValue = double.NaN,
            ReferenceCount = reference.Total,
            CurrentCount = current.Values.Sum(),
            ReferenceMissing = reference.Missing,
            CurrentMissing = missing,
            ReferenceMean = double.NaN,
            CurrentMean = double.NaN,
        };
        return drift.ReferenceCount == 0 || drift.CurrentCount == 0
            ? WithoutValues(drift)
            : With(drift, PopulationStabilityIndex.Categorical(reference.Categories, current));
    }

    private static FeatureDrift With(FeatureDrift drift, PopulationStabilityIndex.Result index)
    {
        drift.Psi = index.Value;
        drift.IsDrifted = index.Value >= DriftedFrom;
        drift.Bins.AddRange(index.Bins.Select(b => new Contracts.Monitoring.V1.Bin
        {
            Label = b.Label,
            ReferenceShare = b.ReferenceShare,
            CurrentShare = b.CurrentShare,
        }));
        return drift;
    }

    /// <summary>
    /// A column that had values and has only gaps now, or the other way round, has drifted as far as can be. Without
    /// traffic there is nothing to say.
    /// </summary>
    private static FeatureDrift WithoutValues(FeatureDrift drift)
    {
        var isGone = drift.ReferenceCount > 0 && drift.CurrentMissing > 0;
        var isNew = drift.ReferenceMissing > 0 && drift.CurrentCount > 0;
        drift.IsDrifted = isGone || isNew;
        drift.Psi = drift.IsDrifted ? double.PositiveInfinity : double.NaN;
        return drift;
    }
}
