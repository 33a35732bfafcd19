namespace MlOps.Numerics.Trees;

/// <summary>
/// Boosted regression trees. Predicting adds in XGBoost's order in float32, so that it equals it to the bit.
/// </summary>
public sealed record TreeEnsemble(IReadOnlyList<Tree> Trees, float BaseScore, int FeatureCount) : IPredictor
{
    /// <summary>
    /// Reads XGBoost's model JSON (1.7: <c>save_model</c>, or <c>SaveModelToBuffer</c> with <c>{"format":"json"}</c>).
    /// </summary>
    /// <exception cref="System.Text.Json.JsonException">Not such a model, or a broken one.</exception>
    /// <exception cref="NotSupportedException">
    /// Another booster than <c>gbtree</c>, an objective whose output is not the plain sum, or categorical splits.
    /// </exception>
    public static TreeEnsemble FromXgboostJson(ReadOnlySpan<byte> json) => XgboostModel.Read(json);

    /// <inheritdoc/>
    public float Predict(ReadOnlySpan<float> row)
    {
        if (row.Length != FeatureCount)
            throw new ArgumentException($"The model takes {FeatureCount} features, not {row.Length}.", nameof(row));
        var sum = BaseScore;
        foreach (var tree in Trees)
            sum += tree.Evaluate(row);
        return sum;
    }

    /// <summary>Predictions for a batch.</summary>
    /// <param name="design">n × <see cref="FeatureCount"/>, row-major.</param>
    /// <param name="predictions">n.</param>
    public void Predict(ReadOnlySpan<float> design, Span<float> predictions)
    {
        if (design.Length != (long)predictions.Length * FeatureCount)
            throw new ArgumentException(
                $"{design.Length} cells are not {predictions.Length} rows of {FeatureCount}.", nameof(design));
        for (var i = 0; i < predictions.Length; i++)
            predictions[i] = Predict(design.Slice(i * FeatureCount, FeatureCount));
    }

    /// <summary>
    /// Total gain of the splits on each feature, in the unit of the loss; 0 for a feature never asked.
    /// </summary>
    public double[] FeatureImportance()
    {
        var gains = new double[FeatureCount];
        foreach (var tree in Trees)
            for (var node = 0; node < tree.Size; node++)
                if (tree.Left[node] >= 0)
                    gains[tree.Feature[node]] += tree.Gain[node];
        return gains;
    }
}
