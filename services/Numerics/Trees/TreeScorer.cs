using System.Buffers;

namespace MlOps.Numerics.Trees;

/// <summary>
/// Computes what a TreeEnsembleRegressor or TreeEnsembleClassifier of ONNX does, in ONNX Runtime's order of float32
/// additions, so that sums are equal to it to the bit; safe to call from many threads at once.
/// </summary>
public sealed class TreeScorer
{
    private readonly OnnxTrees _trees;
    private readonly TreeEvaluator[] _targets;

    /// <param name="trees">The node.</param>
    /// <param name="features">Columns of its input; at least as many as its splits ask.</param>
    /// <exception cref="ArgumentException">A split asks for a feature that is not there.</exception>
    public TreeScorer(OnnxTrees trees, int features)
    {
        _trees = trees;
        _targets = [.. trees.Targets.Select(target => new TreeEvaluator(target with { FeatureCount = features }))];
        Features = features;
    }

    public int Features { get; }

    /// <summary>Columns of the scores.</summary>
    public int Columns => _trees.Columns;

    /// <summary>Bytes its trees take.</summary>
    public long Bytes => _targets.Sum(target => target.Bytes);

    /// <param name="design">n × <see cref="Features"/>, row-major, NaN for a missing value.</param>
    /// <param name="scores">n × <see cref="Columns"/>, row-major; filled.</param>
    /// <param name="labels">n places among the labels; filled. Empty for a regressor, or when nobody asks.</param>
    public void Score(ReadOnlySpan<float> design, Span<float> scores, Span<int> labels)
    {
        var rows = scores.Length / Columns;
        if (_targets.Length == 1 && Columns == 1)
        {
            _targets[0].Predict(design, scores);
            Finish(scores, 0);
            return;
        }

        var sums = ArrayPool<float>.Shared.Rent(rows);
        for (var target = 0; target < _targets.Length; target++)
        {
            _targets[target].Predict(design, sums.AsSpan(0, rows));
            Finish(sums.AsSpan(0, rows), target);
            for (var row = 0; row < rows; row++)
                scores[(row * Columns) + target] = sums[row];
        }

        ArrayPool<float>.Shared.Return(sums);
        for (var row = 0; row < rows; row++)
        {
            var label = Transform(scores.Slice(row * Columns, Columns));
            if (!labels.IsEmpty)
                labels[row] = label;
        }
    }

    private void Finish(Span<float> sums, int target)
    {
        if (_trees.Divisor != 1)
            foreach (ref var sum in sums)
                sum /= _trees.Divisor;
        if (_trees.BaseValues.Count == 0)
            return;
        var value = _trees.BaseValues[target];
        foreach (ref var sum in sums)
            sum += value;
    }

    /// <returns>The place of the row's label; 0 for a regressor.</returns>
    private int Transform(Span<float> scores)
    {
        if (_trees.IsMargin)
            return TransformMargin(scores);
        var best = 0;
        for (var i = 1; i < scores.Length; i++)
            if (scores[i] > scores[best])
                best = i;
        if (_trees.Transform == TreeTransform.Softmax)
            Softmax(scores);
        else if (_trees.Transform == TreeTransform.Logistic)
            foreach (ref var score in scores)
                score = Logistic(score);
        return best;
    }

    // The sum stands in the first column.
    private int TransformMargin(Span<float> scores)
    {
        var sum = scores[0];
        (scores[0], scores[1]) = _trees.Transform == TreeTransform.Logistic ? (Logistic(-sum), Logistic(sum))
            : _trees.Limit > 0 ? (1 - sum, sum)
            : (-sum, sum);
        return sum > _trees.Limit ? 1 : 0;
    }

    private static float Logistic(float score)
    {
        var above = 1 / (1 + MathF.Exp(-MathF.Abs(score)));
        return score < 0 ? 1 - above : above;
    }

    private static void Softmax(Span<float> scores)
    {
        var most = float.MinValue;
        foreach (var score in scores)
            most = score > most ? score : most;
        var sum = 0f;
        foreach (ref var score in scores)
        {
            score = MathF.Exp(score - most);
            sum += score;
        }

        foreach (ref var score in scores)
            score /= sum;
    }
}
