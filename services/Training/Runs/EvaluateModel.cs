using System.Globalization;
using MlOps.Contracts.Training.V1;
using MlOps.Numerics.Onnx;
using MlOps.Training.Datasets;
using MlOps.Training.Evaluation;
using MlOps.Training.Trainers;

namespace MlOps.Training.Runs;

/// <summary>Exports a trained model as one ONNX graph, proves on the whole test part that it is the same model, and scores it there.</summary>
internal sealed class EvaluateModel(TrainerCatalogue trainers, PreparedDatasets datasets, Baselines baselines)
{
    /// <exception cref="TrainerException">EXPORT_MISMATCH: the graph predicts something else than the trainer.</exception>
    internal async Task<EvaluatedModel> HandleAsync(Pipeline pipeline, byte[] modelFile, CancellationToken ct)
    {
        var trainer = trainers.Get(pipeline.Trainer);
        var data = await datasets.GetAsync(pipeline, trainer, ct);
        using var model = trainer.Load(modelFile);
        var predictions = model.Predict(data.Test);
        var graph = TabularModel.Export(new TabularPipeline(data.Inputs, model.Predictor)
        {
            Metadata = new Dictionary<string, string> { ["model"] = pipeline.Model, ["dataset_digest"] = pipeline.DatasetDigest },
        });
        using var check = new OnnxCheck(graph);
        var difference = ExportDifference.Between(check.Predict(data.TestColumns), predictions);
        if (!difference.IsTolerable)
        {
            throw new TrainerException(string.Create(CultureInfo.InvariantCulture,
                $"EXPORT_MISMATCH: the ONNX graph is up to {difference.Absolute} away from the trainer's predictions"));
        }
        return new EvaluatedModel(
            graph,
            ModelProfile.Of(data, pipeline.LabelColumn, model.Predict(data.Train)).ToJson(),
            difference.Absolute,
            Scores.Of(trainer.Name, data.Test.Labels, predictions),
            await baselines.ScoreAsync(pipeline, ct),
            data.Train.Rows, data.Validation.Rows, data.Test.Rows);
    }
}
