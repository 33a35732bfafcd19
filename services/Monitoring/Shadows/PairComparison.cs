using MlOps.Contracts.Monitoring.V1;
using MlOps.Numerics.PairedTests;

namespace MlOps.Monitoring.Shadows;

/// <summary>What pairs of predictions say of two versions: a function of the pairs alone. Without pairs a mean is NaN and p is one.</summary>
internal static class PairComparison
{
    /// <param name="pairs">Finite predictions.</param>
    /// <param name="threshold">From this value on a prediction, or a label, is a positive decision; null: they are none.</param>
    public static PairFigures Of(IReadOnlyCollection<ShadowPair> pairs, double? threshold)
    {
        double[] differences = [.. pairs.Select(p => p.Shadow - p.Live)];
        var figures = new PairFigures
        {
            Pairs = pairs.Count,
            Equal = differences.Count(d => d == 0),
            LiveMean = Mean(pairs.Select(p => p.Live)),
            ShadowMean = Mean(pairs.Select(p => p.Shadow)),
            MeanDifference = Mean(differences),
            MeanAbsoluteDifference = Mean(differences.Select(Math.Abs)),
            MaxAbsoluteDifference = differences.Select(Math.Abs).DefaultIfEmpty(double.NaN).Max(),
            DifferencePValue = SignedRank(differences),
        };
        AddErrors(figures, [.. pairs.Where(p => p.IsLabelled)], threshold);
        if (threshold is { } positive) AddFlips(figures, pairs, positive);
        return figures;
    }

    public static LatencyFigures LatencyOf(IEnumerable<ShadowPair> pairs)
    {
        var first = pairs.Where(p => p.IsFirstRow).ToArray();
        long[] live = [.. first.Select(p => p.LiveMicros).Order()];
        long[] shadow = [.. first.Select(p => p.ShadowMicros).Order()];
        return new LatencyFigures
        {
            Requests = first.Length,
            LiveP50Micros = Quantile(live, 0.5),
            LiveP99Micros = Quantile(live, 0.99),
            ShadowP50Micros = Quantile(shadow, 0.5),
            ShadowP99Micros = Quantile(shadow, 0.99),
            PValue = SignedRank([.. first.Select(p => (double)(p.ShadowMicros - p.LiveMicros))]),
        };
    }

    private static void AddErrors(PairFigures figures, ShadowPair[] labelled, double? threshold)
    {
        figures.Labelled = labelled.Length;
        figures.LiveError = Mean(labelled.Select(p => Math.Abs(p.Live - p.Label)));
        figures.ShadowError = Mean(labelled.Select(p => Math.Abs(p.Shadow - p.Label)));
        figures.ErrorPValue = SignedRank([.. labelled.Select(p => Math.Abs(p.Shadow - p.Label) - Math.Abs(p.Live - p.Label))]);
        figures.RightPValue = 1;
        if (threshold is not { } positive) return;
        foreach (var pair in labelled)
        {
            var isPositive = pair.Label >= positive;
            var (isLiveRight, isShadowRight) = ((pair.Live >= positive) == isPositive, (pair.Shadow >= positive) == isPositive);
            if (isLiveRight && !isShadowRight) figures.OnlyLiveRight++;
            if (isShadowRight && !isLiveRight) figures.OnlyShadowRight++;
        }

        figures.RightPValue = McNemar.MidP(figures.OnlyLiveRight, figures.OnlyShadowRight).PValue;
    }

    private static void AddFlips(PairFigures figures, IEnumerable<ShadowPair> pairs, double positive)
    {
        foreach (var pair in pairs)
        {
            if (pair.Live < positive && pair.Shadow >= positive) figures.FlipsUp++;
            if (pair.Live >= positive && pair.Shadow < positive) figures.FlipsDown++;
        }

        // Of the decisions that differ, as many should go either way where both decide positively as often.
        figures.FlipsPValue = McNemar.MidP(figures.FlipsUp, figures.FlipsDown).PValue;
    }

    private static double SignedRank(double[] differences) => differences.Length == 0 ? 1 : Wilcoxon.SignedRank(differences).PValue;

    private static double Mean(IEnumerable<double> values) => values.DefaultIfEmpty(double.NaN).Average();

    // The smallest value that at least this share does not exceed.
    private static long Quantile(long[] sorted, double share) =>
        sorted.Length == 0 ? 0 : sorted[Math.Max(0, (int)Math.Ceiling(share * sorted.Length) - 1)];
}
