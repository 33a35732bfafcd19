using MlOps.Numerics;
using MlOps.Training.Datasets;

namespace MlOps.Training.Trainers;

/// <summary>A fitted model: predicts, is written to bytes, and is known to the ONNX writer.</summary>
internal interface ITrainedModel : IDisposable
{
    /// <summary>Boosting rounds kept by early stopping; 0 where the trainer has none.</summary>
    int BestRound { get; }

    /// <summary>The same model in a form that can be written as ONNX.</summary>
    IPredictor Predictor { get; }

    /// <summary>One prediction per row, by the trainer's own code.</summary>
    float[] Predict(DesignMatrix features);

    byte[] Save();
}
