using MlOps.Numerics.Trees;

namespace MlOps.Numerics.Explanations;

/// <summary>
/// Exact SHAP values of a tree ensemble, computed in double: path-dependent TreeSHAP, Algorithm 2 of Lundberg, Erion
/// and Lee 2018, "Consistent Individualized Feature Attribution for Tree Ensembles" (arXiv:1802.03888). What is not
/// known of a row follows the training rows, by the cover of the nodes. Safe to call from many threads at once.
/// </summary>
public sealed class TreeShap
{
    private readonly TreeEnsemble _ensemble;
    private readonly double[][] _covers;
    private readonly double _bias;
    private readonly int _pathLength;

    /// <exception cref="ArgumentException">An inner node has no cover: the model does not say what it saw.</exception>
    public TreeShap(TreeEnsemble ensemble)
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
    }

    /// <summary>
    /// Contributions and bias of one row; they add up to the prediction within 1e-5 relative, which is float32's own
    /// rounding in the sum of trees.
    /// </summary>
    /// <param name="row">One value per feature, NaN for a missing one.</param>
    public Explanation Explain(ReadOnlySpan<float> row)
    {
        var contributions = new double[_ensemble.FeatureCount];
        Explain(row, contributions);
        return new Explanation(_bias, contributions);
    }

    /// <summary>Writes the contributions and gives the bias, the same for every row.</summary>
    public double Explain(ReadOnlySpan<float> row, Span<double> contributions)
    {
        if (row.Length != _ensemble.FeatureCount || contributions.Length != row.Length)
            throw new ArgumentException(
                $"The model takes {_ensemble.FeatureCount} features, not {row.Length} for {contributions.Length}.",
                nameof(row));
        contributions.Clear();
        var elements = new FeaturePath.Element[_pathLength];
        for (var i = 0; i < _covers.Length; i++)
        {
            var descent = new Descent(_ensemble.Trees[i], _covers[i], row, contributions);
            descent.Visit(0, new FeaturePath(elements), -1, 1, 1);
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

    /// <summary>RECURSE, for one row and one tree.</summary>
    private readonly ref struct Descent(
        Tree tree, double[] covers, ReadOnlySpan<float> row, Span<double> contributions)
    {
        private readonly ReadOnlySpan<float> _row = row;
        private readonly Span<double> _contributions = contributions;

        public void Visit(int node, FeaturePath path, int feature, double zero, double one)
        {
            path.Extend(feature, zero, one);
            if (tree.Left[node] < 0)
            {
                for (var i = 1; i < path.Length; i++)
                {
                    ref readonly var element = ref path[i];
                    _contributions[element.Feature] +=
                        path.UnwoundSum(i) * (element.One - element.Zero) * tree.LeafValue[node];
                }

                return;
            }

            var asked = tree.Feature[node];
            var value = _row[asked];
            var goesLeft = float.IsNaN(value) ? tree.DefaultLeft[node] : value < tree.Threshold[node];
            var (hot, cold) = goesLeft ? (tree.Left[node], tree.Right[node]) : (tree.Right[node], tree.Left[node]);
            var (zeroBefore, oneBefore) = (1d, 1d);
            var place = path.Find(asked);
            if (place >= 0)
            {
                (zeroBefore, oneBefore) = (path[place].Zero, path[place].One);
                path.Unwind(place);
            }

            Visit(hot, path.Fork(), asked, zeroBefore * covers[hot] / covers[node], oneBefore);

            // No training row went there and this one does not either: every weight below is 0, and 0 / 0 in UNWIND.
            if (covers[cold] > 0)
                Visit(cold, path.Fork(), asked, zeroBefore * covers[cold] / covers[node], 0);
        }
    }
}
