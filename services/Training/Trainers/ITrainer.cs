using MlOps.Training.Datasets;

namespace MlOps.Training.Trainers;

/// <summary>A way to fit a regression model to encoded inputs; every trainer exports to ONNX.</summary>
internal interface ITrainer
{
    string Name { get; }

    bool IsAvailable { get; }

    /// <summary>Version when available, else why not and what to do.</summary>
    string Note { get; }

    /// <summary>True: inputs come imputed and scaled. False: as they are, NaN where missing.</summary>
    bool NeedsCompleteInputs { get; }

    IReadOnlyList<TrainerParameter> Parameters { get; }

    /// <summary>Fits to <paramref name="train"/>, watching the error on <paramref name="validation"/>; stops between rounds when asked.</summary>
    /// <exception cref="TrainerException">The trainer refuses the parameters or the data.</exception>
    ITrainedModel Train(
        DesignMatrix train, DesignMatrix validation, TrainerSettings settings, Action<RoundScore> onRound, CancellationToken ct);

    /// <summary>The model that <see cref="ITrainedModel.Save"/> wrote.</summary>
    ITrainedModel Load(ReadOnlySpan<byte> model);
}
