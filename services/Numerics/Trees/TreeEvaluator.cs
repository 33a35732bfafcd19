using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MlOps.Numerics.Trees;

/// <summary>
/// Predicts what <see cref="TreeEnsemble.Predict(ReadOnlySpan{float}, Span{float})"/> does, to the bit, many times
/// faster; safe to call from many threads at once, without allocating.
/// </summary>
/// <remarks>
/// Every row's sum starts at the base score and takes the trees in order, in float32, whichever way a row goes:
/// batches through <see cref="BranchFreeTrees"/> (trees too deep for it walked), few rows through
/// <see cref="WalkedTrees"/>.
/// </remarks>
public sealed class TreeEvaluator : IPredictor
{
    private const int ScratchFloats = 8 * 1024; // 32 KiB: half to two thirds of a first-level cache
    private const int FewRows = 8; // a group of rows costs about as much as this many single ones
    private const int Alignment = 64;

    private readonly float _base;
    private readonly RowGroups _groups = new();
    private readonly WalkedTrees _walked = new();
    private readonly BranchFreeTrees _branchFree = new();
    private readonly int[] _numbers; // in _branchFree, or −1 where the tree is walked
    private readonly int _groupsAtOnce;

    /// <param name="ensemble">What to evaluate.</param>
    /// <param name="instructions">Null: the best this machine has.</param>
    /// <exception cref="PlatformNotSupportedException">The machine lacks the instructions asked for.</exception>
    /// <exception cref="ArgumentException">A split asks a feature the ensemble does not have.</exception>
    public TreeEvaluator(TreeEnsemble ensemble, TreeInstructions? instructions = null)
    {
        Instructions = instructions ?? Best;
        if (Instructions > Best)
            throw new PlatformNotSupportedException($"This machine has no {Instructions}.");
        if (ensemble.Trees.Any(tree => tree.Feature.Any(feature => (uint)feature >= (uint)ensemble.FeatureCount)
            && tree.Size > 1))
            throw new ArgumentException("A split asks for a feature the model does not have.", nameof(ensemble));

        FeatureCount = ensemble.FeatureCount;
        _base = ensemble.BaseScore;
        _numbers = new int[ensemble.Trees.Count];
        for (var i = 0; i < _numbers.Length; i++)
        {
            var tree = ensemble.Trees[i];
            var depth = Depth(tree);
            _walked.Add(tree, _groups);
            _numbers[i] = BranchFreeTrees.Suits(tree, depth) ? _branchFree.Add(tree, depth, _groups) : -1;
        }

        _branchFree.Seal();
        _walked.Seal(_groups);
        _groupsAtOnce = Math.Clamp(ScratchFloats / (_groups.Size + RowGroups.Rows), 1, 8);
    }

    /// <summary>The best this machine has.</summary>
    public static TreeInstructions Best =>
        Vector512.IsHardwareAccelerated && Avx512F.IsSupported ? TreeInstructions.Avx512
        : Avx2.IsSupported ? TreeInstructions.Avx2
        : TreeInstructions.Scalar;

    /// <summary>Bytes its trees take.</summary>
    public long Bytes => _walked.Bytes + _branchFree.Bytes;

    /// <inheritdoc/>
    public int FeatureCount { get; }

    /// <summary>What batches are computed with.</summary>
    public TreeInstructions Instructions { get; }

    /// <inheritdoc/>
    public float Predict(ReadOnlySpan<float> row)
    {
        var prediction = 0f;
        Predict(row, new Span<float>(ref prediction));
        return prediction;
    }

    /// <summary>Predictions for a batch.</summary>
    /// <param name="design">n × <see cref="FeatureCount"/>, row-major, NaN for a missing value.</param>
    /// <param name="predictions">n; must not overlap <paramref name="design"/>.</param>
    [SkipLocalsInit]
    public unsafe void Predict(ReadOnlySpan<float> design, Span<float> predictions)
    {
        if (design.Length != (long)predictions.Length * FeatureCount)
            throw new ArgumentException(
                $"{design.Length} cells are not {predictions.Length} rows of {FeatureCount}.", nameof(design));
        if (predictions.IsEmpty)
            return;

        var groups = Math.Min(_groupsAtOnce, (predictions.Length + RowGroups.Rows - 1) / RowGroups.Rows);
        var needed = groups * (_groups.Size + RowGroups.Rows) + Alignment / sizeof(float);
        if (needed <= ScratchFloats + Alignment)
        {
            var scratch = stackalloc float[needed];
            Predict(design, predictions, scratch, groups);
            return;
        }

        var rented = ArrayPool<float>.Shared.Rent(needed);
        fixed (float* scratch = rented)
            Predict(design, predictions, scratch, groups);
        ArrayPool<float>.Shared.Return(rented);
    }

    private unsafe void Predict(
        ReadOnlySpan<float> design, Span<float> predictions, float* scratch, int groupsAtOnce)
    {
        // A load that crosses a cache line costs two.
        var sums = (float*)(((nuint)scratch + Alignment - 1) & ~(nuint)(Alignment - 1));
        var groups = sums + groupsAtOnce * RowGroups.Rows;
        while (!predictions.IsEmpty)
        {
            var rows = Math.Min(predictions.Length, groupsAtOnce * RowGroups.Rows);
            if (rows < FewRows || Instructions == TreeInstructions.Scalar)
                rows = Math.Min(rows, RowGroups.Rows);
            else if (rows > RowGroups.Rows && rows % RowGroups.Rows is > 0 and < FewRows)
                rows -= rows % RowGroups.Rows;

            var filled = (rows + RowGroups.Rows - 1) / RowGroups.Rows;
            for (var group = 0; group < filled; group++)
            {
                var from = group * RowGroups.Rows;
                var count = Math.Min(RowGroups.Rows, rows - from);
                _groups.Fill(groups + group * _groups.Size, design.Slice(from * FeatureCount, count * FeatureCount),
                    count, FeatureCount);
            }

            if (rows < FewRows || Instructions == TreeInstructions.Scalar)
                for (var row = 0; row < rows; row++)
                    sums[row] = _walked.Sum(_base, groups + row);
            else if (Instructions == TreeInstructions.Avx512)
                Sum<Vector512<float>, Lanes16>(groups, filled, sums);
            else
                Sum<Vector256<float>, Lanes8>(groups, filled, sums);

            new ReadOnlySpan<float>(sums, rows).CopyTo(predictions);
            design = design[(rows * FeatureCount)..];
            predictions = predictions[rows..];
        }
    }

    private unsafe void Sum<TVector, TLanes>(float* groups, int count, float* sums)
        where TVector : unmanaged
        where TLanes : struct, ILanes<TVector>
    {
        new Span<float>(sums, count * RowGroups.Rows).Fill(_base);
        for (var tree = 0; tree < _numbers.Length; tree++)
        {
            if (_numbers[tree] >= 0)
            {
                _branchFree.AddTo<TVector, TLanes>(_numbers[tree], groups, _groups.Size, count, sums);
                continue;
            }

            for (var group = 0; group < count; group++)
                _walked.AddTo(tree, groups + group * _groups.Size, sums + group * RowGroups.Rows);
        }
    }

    private static int Depth(Tree tree)
    {
        // Children stand behind their parents.
        var depths = new int[tree.Size];
        for (var node = 0; node < tree.Size; node++)
            if (tree.Left[node] >= 0)
                depths[tree.Left[node]] = depths[tree.Right[node]] = depths[node] + 1;
        return depths.Max();
    }
}
