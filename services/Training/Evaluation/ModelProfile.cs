using MlOps.Numerics.Onnx;
using MlOps.Numerics.Profiles;
using MlOps.Training.Datasets;

namespace MlOps.Training.Evaluation;

/// <summary>The reference profile of the training part: raw inputs as they are served, predictions and label.</summary>
internal static class ModelProfile
{
    internal static ReferenceProfile Of(PreparedDataset data, string label, ReadOnlySpan<float> predictions) => new()
    {
        Features = [.. data.TrainColumns.Select(Of)],
        Predictions = FeatureProfile.Numeric(TabularModel.OutputName, predictions),
        Label = FeatureProfile.Numeric(label, data.Train.Labels),
    };

    private static FeatureProfile Of(RawColumn column) => column switch
    {
        NumericColumn numbers => FeatureProfile.Numeric(column.Name, numbers.Values),
        TextColumn texts => FeatureProfile.Categorical(column.Name, texts.Values),
        _ => throw new NotSupportedException($"Column '{column.Name}' is neither numbers nor text."),
    };
}
