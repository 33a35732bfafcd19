using System.Numerics;
using MlOps.Numerics.Trees;

namespace MlOps.Numerics.Explanations;

/// <summary>
/// SHAP values of a tree whose leaves ask few features, from tables made once: what a leaf adds follows from which of
/// its d features let the row pass, of which there are 2ᵈ cases. After Yang 2021, "Fast TreeSHAP" (arXiv:2109.09847,
/// version 2), with the sums over subsets made directly, so that nothing is ever subtracted.
/// </summary>
/// <remarks>
/// With zⱼ the share of the rows that feature j alone lets pass, P the features that let this row pass, and
/// H(P) = Σ over S ⊆ P of |S|!(d−|S|−1)!/d! · Π over j ∉ S of zⱼ, a leaf of value v gives feature i ∉ P −v·H(P) and
/// feature i ∈ P v·(1−zᵢ)/zᵢ·H(P∖i).
/// </remarks>
internal sealed class LeafTables
{
    /// <summary>Features of a leaf beyond which its table costs more than walking.</summary>
    public const int MostFeatures = 10;

    private readonly Condition[] _conditions; // leaf after leaf
    private readonly int[] _ends; // per leaf, the end of its conditions
    private readonly double[] _sums; // leaf after leaf, v·H by the mask of features that let the row pass

    private LeafTables(List<(float Value, Condition[] Conditions)> leaves)
    {
        _conditions = [.. leaves.SelectMany(leaf => leaf.Conditions).Select(one => one with { Ratio = (1 - one.Share) / one.Share })];
        _sums = [.. leaves.SelectMany(leaf => SumsOf(leaf.Value, leaf.Conditions))];
        _ends = new int[leaves.Count];
        var end = 0;
        for (var i = 0; i < _ends.Length; i++)
            _ends[i] = end += leaves[i].Conditions.Length;
    }

    /// <param name="tree">The tree.</param>
    /// <param name="covers">Training rows per node; of an inner node the sum of its children.</param>
    /// <param name="budget">Numbers its tables may have; what they take is taken off.</param>
    /// <returns>Null when a leaf asks too many features, or no training row came to it, or the budget does not do.</returns>
    public static LeafTables? Of(Tree tree, double[] covers, ref long budget)
    {
        var leaves = new List<(float Value, Condition[] Conditions)>();
        var needed = 0L;
        foreach (var leaf in LeavesOf(tree, covers))
        {
            // Where no row came, 0 / 0 is no weight.
            needed += 1L << Math.Min(leaf.Conditions.Length, MostFeatures + 1);
            if (leaf.Conditions.Length > MostFeatures || needed > budget || leaf.Conditions.Any(one => !(one.Share > 0)))
                return null;
            leaves.Add(leaf);
        }

        budget -= needed;
        return new LeafTables(leaves);
    }

    /// <summary>Adds what the tree gives each feature of a row.</summary>
    public void AddTo(ReadOnlySpan<float> row, Span<double> contributions)
    {
        var tables = _sums.AsSpan();
        var start = 0;
        foreach (var end in _ends)
        {
            var conditions = _conditions.AsSpan(start, end - start);
            start = end;
            var table = tables[..(1 << conditions.Length)];
            tables = tables[table.Length..];
            var passed = 0;
            for (var i = 0; i < conditions.Length; i++)
            {
                ref readonly var condition = ref conditions[i];
                var value = row[condition.Feature];
                var passes = (value >= condition.AtLeast & !(value >= condition.Below))
                    | (float.IsNaN(value) & condition.TakesMissing);
                passed |= (passes ? 1 : 0) << i;
            }

            var absent = -table[passed];
            for (var i = 0; i < conditions.Length; i++)
            {
                ref readonly var condition = ref conditions[i];
                contributions[condition.Feature] += (passed >> i & 1) == 0
                    ? absent
                    : condition.Ratio * table[passed ^ 1 << i];
            }
        }
    }

    private static double[] SumsOf(double value, Condition[] conditions)
    {
        var d = conditions.Length;
        var sums = new double[1 << d];
        for (var subset = 0; subset < sums.Length - 1; subset++)
        {
            // |S|!(d−|S|−1)!/d! = 1 / (d · binomial(d−1, |S|))
            var weight = value / d;
            for (var k = 1; k <= BitOperations.PopCount((uint)subset); k++)
                weight *= (double)k / (d - k);
            for (var j = 0; j < d; j++)
                if ((subset >> j & 1) == 0)
                    weight *= conditions[j].Share;
            sums[subset] = weight;
        }

        // Every entry becomes the sum over its subsets. The last, of all features, is asked by nobody.
        for (var bit = 1; bit < sums.Length; bit <<= 1)
            for (var mask = 0; mask < sums.Length; mask++)
                if ((mask & bit) != 0)
                    sums[mask] += sums[mask ^ bit];
        return sums;
    }

    private static IEnumerable<(float Value, Condition[] Conditions)> LeavesOf(Tree tree, double[] covers)
    {
        var pending = new Stack<(int Node, Condition[] Conditions)>();
        pending.Push((0, []));
        while (pending.TryPop(out var at))
        {
            var (node, conditions) = at;
            if (tree.Left[node] < 0)
            {
                yield return (tree.LeafValue[node], conditions);
                continue;
            }

            foreach (var child in new[] { tree.Right[node], tree.Left[node] })
                pending.Push((child, With(conditions, tree, node, child, covers[child] / covers[node])));
        }
    }

    // Splits on one feature are one condition: the row passes when it passes all of them.
    private static Condition[] With(Condition[] conditions, Tree tree, int node, int child, double share)
    {
        var (feature, threshold, isLeft) = (tree.Feature[node], tree.Threshold[node], child == tree.Left[node]);
        // Nothing is below NaN.
        if (float.IsNaN(threshold))
            threshold = float.NegativeInfinity;
        var place = Array.FindIndex(conditions, condition => condition.Feature == feature);
        var before = place >= 0 ? conditions[place] : new Condition(feature, float.NegativeInfinity, float.NaN, true, 1);
        var after = before with
        {
            AtLeast = isLeft ? before.AtLeast : Math.Max(before.AtLeast, threshold),
            Below = isLeft ? float.MinNumber(before.Below, threshold) : before.Below,
            TakesMissing = before.TakesMissing && tree.DefaultLeft[node] == isLeft,
            Share = before.Share * share,
        };
        return place >= 0
            ? [.. conditions[..place], after, .. conditions[(place + 1)..]]
            : [.. conditions, after];
    }

    /// <summary>What lets a row pass to a leaf by one feature.</summary>
    /// <param name="Feature">Its index.</param>
    /// <param name="AtLeast">Least value that passes.</param>
    /// <param name="Below">Least value that does not pass any more; NaN: there is none.</param>
    /// <param name="TakesMissing">Whether NaN passes.</param>
    /// <param name="Share">Share of the training rows that pass.</param>
    /// <param name="Ratio">(1 − share) / share, once the share is final.</param>
    private readonly record struct Condition(
        int Feature, float AtLeast, float Below, bool TakesMissing, double Share, double Ratio = 0);
}
