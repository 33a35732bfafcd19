using MlOps.Numerics.Onnx;
using MlOps.Training.Evaluation;
using MlOps.Training.Trainers;

namespace MlOps.Training.Tests.Trainers;

public sealed class LinearTests
{
    [Fact]
    public void The_exported_graph_predicts_what_the_trainer_predicts()
    {
        var trainer = new LinearTrainer();
        var data = XgboostTests.Prepare(2000, isComplete: true);
        using var model = trainer.Train(
            data.Train, data.Validation, TrainerSettings.Of(trainer, [], 1), _ => { }, CancellationToken.None);
        using var loaded = trainer.Load(model.Save());
        using var check = new OnnxCheck(TabularModel.Export(new TabularPipeline(data.Inputs, loaded.Predictor)));

        var predictions = model.Predict(data.Test);
        var difference = ExportDifference.Between(check.Predict(data.TestColumns), predictions);

        // The runtime adds the terms in an order of its own: a few roundings of the largest sum.
        Assert.True(difference.Absolute <= 1e-6 * predictions.Max(Math.Abs), $"{difference}");
    }

    [Fact]
    public void A_missing_value_and_an_unseen_category_still_give_a_number()
    {
        var trainer = new LinearTrainer();
        var data = XgboostTests.Prepare(2000, isComplete: true);
        using var model = trainer.Train(
            data.Train, data.Validation, TrainerSettings.Of(trainer, [], 1), _ => { }, CancellationToken.None);
        using var check = new OnnxCheck(TabularModel.Export(new TabularPipeline(data.Inputs, model.Predictor)));

        RawColumn[] columns =
        [
            new NumericColumn("distance", [700]), new NumericColumn("hour", [float.NaN]), new NumericColumn("stops", [1]),
            new TextColumn("airline", ["never seen"]),
        ];
        Assert.True(float.IsFinite(Assert.Single(check.Predict(columns))));
    }
}
