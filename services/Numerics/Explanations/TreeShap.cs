using MlOps.Numerics.Trees;

namespace MlOps.Numerics.Explanations;

/// <summary>
/// Exact SHAP values of a tree ensemble, computed in double: path-dependent TreeSHAP, Algorithm 2 of Lundberg, Erion
/// and Lee 2018, "Consistent Individualized Feature Attribution for Tree Ensembles" (arXiv:1802.03888). What is not
/// known of a row follows the training rows, by the cover of the nodes. Safe to call from many threads at once.
/// </summary>
/// <remarks>Trees whose leaves ask few features are read out of tables, see <see cref="LeafTables"/>; others are walked.</remarks>
public sealed class TreeShap
{
    private readonly TreeEnsemble _ensemble;
    private readonly double[][] _covers;
    private readonly LeafTables?[] _tables;
    private readonly double _bias;
    private readonly int _pathLength;

    /// <param name="ensemble">What to explain.</param>
    /// <param name="mostTableBytes">Memory tables may take; trees beyond it are walked. Default 64 MiB.</param>
    /// <exception cref="ArgumentException">An inner node has no cover: the model does not say what it saw.</exception>
    public TreeShap(TreeEnsemble ensemble, long mostTableBytes = 64L << 20)
    {
        _ensemble = ensemble;
        _covers = [.. ensemble.Trees.Select(Covers)];
        _bias = ensemble.BaseScore;
        var depth = 0;
        foreach (var (tree, cover) in ensemble.Trees.Zip(_covers))
        {
            // Children stand behind their parents.
            var shares = new double[tree.Size];
            var depths = new int[tree.Size];
            shares[0] = 1;
            for (var node = 0; node < tree.Size; node++)
            {
                if (tree.Left[node] < 0)
                {
                    _bias += shares[node] * tree.LeafValue[node];
                    depth = Math.Max(depth, depths[node]);
                    continue;
                }

                foreach (var child in new[] { tree.Left[node], tree.Right[node] })
                {
                    shares[child] = shares[node] * cover[child] / cover[node];
                    depths[child] = depths[node] + 1;
                }
            }
        }

        // The root's element and one per level, copied once per level on the way down.
        _pathLength = (depth + 2) * (depth + 3) / 2;
        var budget = mostTableBytes / sizeof(double);
        _tables = [.. ensemble.Trees.Zip(_covers, (tree, cover) => LeafTables.Of(tree, cover, ref budget))];
    }

    /// <summary>
    /// Contributions and bias of one row; they add up to the prediction within 1e-5 relative, which is float32's own
    /// rounding in the sum of trees.
    /// </summary>
    /// <param name="row">One value per feature, NaN for a missing one.</param>
    public Explanation Explain(ReadOnlySpan<float> row)
    {
        if (row.Length != _ensemble.FeatureCount)
            throw new ArgumentException(
                $"The model takes {_ensemble.FeatureCount} features, not {row.Length}.", nameof(row));
        var contributions = new double[row.Length];
        Explain(row, contributions);
        return new Explanation(_bias, contributions);
    }

    /// <summary>Writes the contributions and gives the bias, the same for every row.</summary>
    /// <param name="design">n × features, row-major, NaN for a missing value.</param>
    /// <param name="contributions">n × features; of each row the same to the bit in every batch.</param>
    public double Explain(ReadOnlySpan<float> design, Span<double> contributions)
    {
        var width = _ensemble.FeatureCount;
        if (contributions.Length != design.Length || (width == 0 ? design.Length > 0 : design.Length % width != 0))
            throw new ArgumentException(
                $"The model takes {width} features, not {design.Length} for {contributions.Length}.", nameof(design));
        contributions.Clear();
        FeaturePath.Element[]? elements = null;
        for (var i = 0; i < _covers.Length; i++)
        {
            for (var at = 0; at < design.Length; at += width)
            {
                var row = design.Slice(at, width);
                var shares = contributions.Slice(at, width);
                if (_tables[i] is { } tables)
                {
                    tables.AddTo(row, shares);
                    continue;
                }

                var descent = new Descent(_ensemble.Trees[i], _covers[i], row, shares);
                descent.Visit(0, new FeaturePath(elements ??= new FeaturePath.Element[_pathLength]), -1, 1, 1);
            }
        }

        return _bias;
    }

    private static double[] Covers(Tree tree)
    {
        // Summed from the leaves, so that shares of a node add to one whatever rounding the file has.
        var covers = tree.Cover.Select(cover => (double)cover).ToArray();
        for (var node = tree.Size - 1; node >= 0; node--)
        {
            if (tree.Left[node] < 0)
                continue;
            covers[node] = covers[tree.Left[node]] + covers[tree.Right[node]];
            if (!(covers[tree.Left[node]] >= 0 && covers[tree.Right[node]] >= 0 && covers[node] > 0))
                throw new ArgumentException("An inner node has no cover.", nameof(tree));
        }

        return covers;
    }
}
