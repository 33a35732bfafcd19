using System.Runtime.CompilerServices;

namespace MlOps.Numerics.Trees;

/// <summary>
/// Trees of any shape as packed nodes, walked from root to leaf without a branch on the data: a child's place is
/// arithmetic, a leaf's child is itself. Four walks run side by side to hide the latency of each.
/// </summary>
internal sealed class WalkedTrees
{
    private readonly List<Node> _nodes = [];
    private readonly List<float> _values = [];
    private readonly List<int> _roots = [];
    private readonly List<int> _leaves = [];
    private Node[] _packed = [];
    private float[] _packedValues = [];
    private int[] _packedRoots = [];

    public unsafe long Bytes => _packed.Length * (long)sizeof(Node) + (_packedValues.Length + _packedRoots.Length) * 4L;

    /// <summary>Takes a tree in, numbered in order; <see cref="Seal"/> follows the last.</summary>
    public void Add(Tree tree, RowGroups groups)
    {
        // Level order, the right child first and the left one beside it.
        var root = _nodes.Count;
        _roots.Add(root);
        List<int> order = [0];
        for (var i = 0; i < order.Count; i++)
        {
            var node = order[i];
            _values.Add(tree.LeafValue[node]);
            if (tree.Left[node] < 0)
            {
                _leaves.Add(root + i);
                _nodes.Add(new Node(0, 0, root + i));
                continue;
            }

            var (offset, threshold) = groups.Place(tree.Feature[node], tree.Threshold[node], tree.DefaultLeft[node]);
            _nodes.Add(new Node(offset, threshold, root + order.Count));
            order.Add(tree.Right[node]);
            order.Add(tree.Left[node]);
        }
    }

    public void Seal(RowGroups groups)
    {
        _packed = [.. _nodes];
        _packedValues = [.. _values];
        _packedRoots = [.. _roots];
        foreach (var leaf in _leaves)
            _packed[leaf] = _packed[leaf] with { Offset = groups.NaNOffset };
        _nodes.Release();
        _values.Release();
        _roots.Release();
        _leaves.Release();
    }

    /// <summary>The sum of all trees, in their order, for the row at this lane.</summary>
    public unsafe float Sum(float start, float* row)
    {
        var sum = start;
        var tree = 0;
        fixed (Node* nodes = _packed)
        fixed (float* values = _packedValues)
        {
            for (; tree + 4 <= _packedRoots.Length; tree += 4)
            {
                var (a, b) = (_packedRoots[tree], _packedRoots[tree + 1]);
                var (c, d) = (_packedRoots[tree + 2], _packedRoots[tree + 3]);
                Walk(nodes, row, row, row, row, ref a, ref b, ref c, ref d);
                sum = sum + values[a] + values[b] + values[c] + values[d];
            }

            for (; tree < _packedRoots.Length; tree++)
                sum += values[Walk(nodes, row, _packedRoots[tree])];
        }

        return sum;
    }

    /// <summary>Adds one tree's leaves to the sums of the rows of a group.</summary>
    public unsafe void AddTo(int tree, float* group, float* sums)
    {
        var root = _packedRoots[tree];
        fixed (Node* nodes = _packed)
        fixed (float* values = _packedValues)
        {
            for (var row = 0; row < RowGroups.Rows; row += 4)
            {
                var (a, b, c, d) = (root, root, root, root);
                var lane = group + row;
                Walk(nodes, lane, lane + 1, lane + 2, lane + 3, ref a, ref b, ref c, ref d);
                sums[row] += values[a];
                sums[row + 1] += values[b];
                sums[row + 2] += values[c];
                sums[row + 3] += values[d];
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe void Walk(
        Node* nodes, float* rowA, float* rowB, float* rowC, float* rowD, ref int a, ref int b, ref int c, ref int d)
    {
        var (nodeA, nodeB, nodeC, nodeD) = (a, b, c, d);
        int moved;
        do
        {
            var (nextA, nextB) = (Next(nodes, rowA, nodeA), Next(nodes, rowB, nodeB));
            var (nextC, nextD) = (Next(nodes, rowC, nodeC), Next(nodes, rowD, nodeD));
            moved = (nextA ^ nodeA) | (nextB ^ nodeB) | (nextC ^ nodeC) | (nextD ^ nodeD);
            (nodeA, nodeB, nodeC, nodeD) = (nextA, nextB, nextC, nextD);
        }
        while (moved != 0);
        (a, b, c, d) = (nodeA, nodeB, nodeC, nodeD);
    }

    private static unsafe int Walk(Node* nodes, float* row, int node)
    {
        for (var next = Next(nodes, row, node); next != node; next = Next(nodes, row, node))
            node = next;
        return node;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe int Next(Node* nodes, float* row, int node)
    {
        var at = nodes + node;
        return at->Right + Unsafe.BitCast<bool, byte>(at->Threshold > row[at->Offset]);
    }

    /// <param name="Offset">Of the column asked, within a group of rows.</param>
    /// <param name="Threshold">A value below it goes left.</param>
    /// <param name="Right">The right child, the left one behind it; a leaf's own place.</param>
    private readonly record struct Node(int Offset, float Threshold, int Right);
}
