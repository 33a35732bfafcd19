using System.Text.Json;
using MlOps.Numerics;
using MlOps.Numerics.Linear;
using MlOps.Numerics.Metrics;
using MlOps.Training.Datasets;

namespace MlOps.Training.Trainers;

/// <summary>Least squares with an L2 penalty (ridge regression, Hoerl and Kennard, 1970) on imputed and scaled inputs; needs nothing native.</summary>
internal sealed class LinearTrainer : ITrainer
{
    private const string L2 = "l2";

    public string Name => "linear";

    public bool IsAvailable => true;

    public string Note => typeof(RidgeRegression).Assembly.GetName().Version?.ToString(3) ?? "";

    public bool NeedsCompleteInputs => true;

    public IReadOnlyList<TrainerParameter> Parameters { get; } = [TrainerParameter.Number(L2, 1, 0, double.MaxValue)];

    public ITrainedModel Train(
        DesignMatrix train, DesignMatrix validation, TrainerSettings settings, Action<RoundScore> onRound, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        try
        {
            var model = new Model(RidgeRegression.Fit(train.Values, train.Labels, train.Columns, settings.Number(L2)));
            onRound(new RoundScore(0, Rmse(train), Rmse(validation)));
            return model;

            double Rmse(DesignMatrix part) => RegressionMetrics.Of(part.Labels, model.Predict(part)).Rmse;
        }
        catch (ArithmeticException e)
        {
            throw new TrainerException($"Linear: {e.Message} Choose l2 above 0.");
        }
    }

    public ITrainedModel Load(ReadOnlySpan<byte> model) => new Model(
        JsonSerializer.Deserialize<LinearModel>(model) ?? throw new JsonException("A linear model is an object, not null."));

    private sealed class Model(LinearModel model) : ITrainedModel
    {
        public int BestRound => 0;

        public IPredictor Predictor => model;

        public float[] Predict(DesignMatrix features)
        {
            var predictions = new float[features.Rows];
            for (var row = 0; row < predictions.Length; row++) predictions[row] = model.Predict(features.Row(row));
            return predictions;
        }

        public byte[] Save() => JsonSerializer.SerializeToUtf8Bytes(model);

        public void Dispose()
        {
        }
    }
}
