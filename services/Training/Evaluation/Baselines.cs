using MlOps.Contracts.Training.V1;
using MlOps.Training.Datasets;
using MlOps.Training.Trainers;

namespace MlOps.Training.Evaluation;

/// <summary>What a model is measured against on the same test part: the training mean, and a linear model.</summary>
internal sealed class Baselines(PreparedDatasets datasets)
{
    internal const string Mean = "mean";
    internal const string Linear = "linear";

    private readonly LinearTrainer _linear = new();

    internal async Task<IReadOnlyList<Score>> ScoreAsync(Pipeline pipeline, CancellationToken ct)
    {
        var data = await datasets.GetAsync(pipeline, _linear, ct);
        var mean = new float[data.Test.Rows];
        Array.Fill(mean, (float)data.Train.Labels.Average(label => (double)label));
        using var model = _linear.Train(
            data.Train, data.Validation, TrainerSettings.Of(_linear, [], pipeline.Seed), _ => { }, ct);
        return
        [
            Scores.Of(Mean, data.Test.Labels, mean),
            Scores.Of(Linear, data.Test.Labels, model.Predict(data.Test)),
        ];
    }
}
