using MlOps.Numerics.Trees;

namespace MlOps.Numerics.Explanations;

/// <summary>
/// RECURSE of Algorithm 2 in Lundberg, Erion and Lee 2018, for one row and one tree of any depth.
/// </summary>
internal readonly ref struct Descent(
    Tree tree, double[] covers, ReadOnlySpan<float> row, Span<double> contributions)
{
    private readonly ReadOnlySpan<float> _row = row;
    private readonly Span<double> _contributions = contributions;

    public void Visit(int node, FeaturePath path, int feature, double zero, double one)
    {
        path.Extend(feature, zero, one);
        if (tree.Left[node] < 0)
        {
            AddLeaf(path, tree.LeafValue[node]);
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

    private void AddLeaf(FeaturePath path, float leaf)
    {
        // All features that do not let the row pass get the same.
        var absent = -leaf * path.AbsentSum();
        for (var i = 1; i < path.Length; i++)
        {
            ref readonly var element = ref path[i];
            _contributions[element.Feature] += element.One == 0
                ? absent
                : path.UnwoundSum(i) * (1 - element.Zero) * leaf;
        }
    }
}
