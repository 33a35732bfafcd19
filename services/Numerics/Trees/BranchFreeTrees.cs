using System.Runtime.CompilerServices;

namespace MlOps.Numerics.Trees;

/// <summary>
/// Shallow trees padded to perfect ones, evaluated without a branch or a gather: every split is compared for a register
/// of rows at once and the leaves' values are blended upwards. A tree of depth 6 asks 63 questions instead of 6, which
/// is still several times cheaper than fetching six times from sixteen places.
/// </summary>
/// <remarks>
/// Per tree: the splits above the three lowest levels (level order), then for each subtree of the three lowest levels
/// its 7 splits (level order); the leaves stand in order, 8 to a subtree.
/// </remarks>
internal sealed class BranchFreeTrees
{
    private const int SubtreeDepth = 3;
    private const int SubtreeSplits = 7;
    private const int SubtreeLeaves = 8;
    private const int AlwaysDepth = 6;
    private const int MaxDepth = 8;

    private readonly List<int> _offsets = [];
    private readonly List<float> _thresholds = [];
    private readonly List<float> _leaves = [];
    private readonly List<Place> _places = [];
    private int[] _packedOffsets = [];
    private float[] _packedThresholds = [];
    private float[] _packedLeaves = [];

    public long Bytes => (_packedOffsets.Length + _packedThresholds.Length + _packedLeaves.Length) * 4L;

    /// <summary>Whether padding costs less than walking the tree as it is.</summary>
    public static bool Suits(Tree tree, int depth) =>
        depth <= AlwaysDepth || (depth <= MaxDepth && 1 << depth <= tree.Left.Count(left => left < 0) * 2);

    /// <summary>Takes a tree in; <see cref="Seal"/> follows the last.</summary>
    /// <returns>Its number here.</returns>
    public int Add(Tree tree, int depth, RowGroups groups)
    {
        var top = Math.Max(depth, SubtreeDepth) - SubtreeDepth;
        _places.Add(new Place(_offsets.Count, _leaves.Count, top));
        int[] level = [0];
        for (var i = 0; i < top; i++)
            level = AddLevel(level);
        foreach (var root in level)
        {
            int[] below = [root];
            for (var i = 0; i < SubtreeDepth; i++)
                below = AddLevel(below);
            _leaves.AddRange(below.Select(node => tree.LeafValue[node]));
        }

        return _places.Count - 1;

        int[] AddLevel(int[] nodes)
        {
            foreach (var node in nodes)
            {
                // A leaf above the lowest level is padded: both sides are itself, whatever is asked.
                var (offset, threshold) = tree.Left[node] < 0
                    ? (0, 0)
                    : groups.Place(tree.Feature[node], tree.Threshold[node], tree.DefaultLeft[node]);
                _offsets.Add(offset);
                _thresholds.Add(threshold);
            }

            return [.. nodes.SelectMany(node =>
                tree.Left[node] < 0 ? [node, node] : new[] { tree.Left[node], tree.Right[node] })];
        }
    }

    public void Seal()
    {
        _packedOffsets = [.. _offsets];
        _packedThresholds = [.. _thresholds];
        _packedLeaves = [.. _leaves];
        _offsets.Release();
        _thresholds.Release();
        _leaves.Release();
    }

    /// <summary>Adds the tree's leaves to the sums of <paramref name="count"/> groups.</summary>
    public unsafe void AddTo<TVector, TLanes>(int tree, float* groups, int groupSize, int count, float* sums)
        where TVector : unmanaged
        where TLanes : struct, ILanes<TVector>
    {
        var (split, leaf, top) = _places[tree];
        fixed (int* offsets = &_packedOffsets[split])
        fixed (float* thresholds = &_packedThresholds[split], leaves = &_packedLeaves[leaf])
        {
            for (var group = 0; group < count; group++)
                for (var row = 0; row < RowGroups.Rows; row += 2 * TLanes.Count)
                    AddTo<TVector, TLanes>(groups + group * groupSize + row, offsets, thresholds, leaves, top,
                        sums + group * RowGroups.Rows + row);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe void AddTo<TVector, TLanes>(
        float* rows, int* offsets, float* thresholds, float* leaves, int top, float* sums)
        where TVector : unmanaged
        where TLanes : struct, ILanes<TVector>
    {
        // Two registers of rows share what is read of the tree.
        var a = stackalloc TVector[1 << (MaxDepth - SubtreeDepth)];
        var b = stackalloc TVector[1 << (MaxDepth - SubtreeDepth)];
        var subtrees = 1 << top;
        var offset = offsets + subtrees - 1;
        var threshold = thresholds + subtrees - 1;
        for (var i = 0; i < subtrees; i++)
        {
            Subtree<TVector, TLanes>(rows, offset, threshold, leaves, out a[i], out b[i]);
            offset += SubtreeSplits;
            threshold += SubtreeSplits;
            leaves += SubtreeLeaves;
        }

        for (var width = subtrees >> 1; width > 0; width >>= 1)
            for (var i = 0; i < width; i++)
                Choose<TVector, TLanes>(rows, offsets, thresholds, width - 1 + i,
                    a[2 * i], b[2 * i], a[2 * i + 1], b[2 * i + 1], out a[i], out b[i]);
        TLanes.AddTo(sums, a[0]);
        TLanes.AddTo(sums + TLanes.Count, b[0]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe void Subtree<TVector, TLanes>(
        float* rows, int* offsets, float* thresholds, float* leaves, out TVector a, out TVector b)
        where TVector : unmanaged
        where TLanes : struct, ILanes<TVector>
    {
        Leaves<TVector, TLanes>(rows, offsets, thresholds, 3, leaves, out var a3, out var b3);
        Leaves<TVector, TLanes>(rows, offsets, thresholds, 4, leaves + 2, out var a4, out var b4);
        Choose<TVector, TLanes>(rows, offsets, thresholds, 1, a3, b3, a4, b4, out var a1, out var b1);
        Leaves<TVector, TLanes>(rows, offsets, thresholds, 5, leaves + 4, out var a5, out var b5);
        Leaves<TVector, TLanes>(rows, offsets, thresholds, 6, leaves + 6, out var a6, out var b6);
        Choose<TVector, TLanes>(rows, offsets, thresholds, 2, a5, b5, a6, b6, out var a2, out var b2);
        Choose<TVector, TLanes>(rows, offsets, thresholds, 0, a1, b1, a2, b2, out a, out b);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe void Leaves<TVector, TLanes>(
        float* rows, int* offsets, float* thresholds, int split, float* leaves, out TVector a, out TVector b)
        where TVector : unmanaged
        where TLanes : struct, ILanes<TVector>
    {
        var left = TLanes.Broadcast(leaves[0]);
        var right = TLanes.Broadcast(leaves[1]);
        Choose<TVector, TLanes>(rows, offsets, thresholds, split, left, left, right, right, out a, out b);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe void Choose<TVector, TLanes>(
        float* rows, int* offsets, float* thresholds, int split,
        TVector leftA, TVector leftB, TVector rightA, TVector rightB, out TVector a, out TVector b)
        where TVector : unmanaged
        where TLanes : struct, ILanes<TVector>
    {
        var threshold = TLanes.Broadcast(thresholds[split]);
        var column = rows + offsets[split];
        a = TLanes.Choose(TLanes.Load(column), threshold, leftA, rightA);
        b = TLanes.Choose(TLanes.Load(column + TLanes.Count), threshold, leftB, rightB);
    }

    private readonly record struct Place(int Split, int Leaf, int Top);
}
