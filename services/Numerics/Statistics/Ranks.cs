namespace MlOps.Numerics.Statistics;

/// <summary>Ranks from 1, equal values sharing the mean of theirs.</summary>
internal static class Ranks
{
    /// <summary>The ranks of the values, parallel to them, and Σ (t³ − t) over the groups of t equal ones.</summary>
    public static (double[] Ranks, double Ties) Of(ReadOnlySpan<double> values)
    {
        var sorted = values.ToArray();
        var places = new int[sorted.Length];
        for (var i = 0; i < places.Length; i++)
            places[i] = i;
        Array.Sort(sorted, places);

        var ranks = new double[sorted.Length];
        var ties = 0.0;
        for (int from = 0, to; from < sorted.Length; from = to)
        {
            for (to = from + 1; to < sorted.Length && sorted[to] == sorted[from];)
                to++;
            double count = to - from;
            ties += count * count * count - count;
            for (var i = from; i < to; i++)
                ranks[places[i]] = (from + 1 + to) / 2.0;
        }

        return (ranks, ties);
    }
}
