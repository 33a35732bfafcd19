namespace MlOps.Inference.Predictions;

/// <summary>Where an answer's outputs come from.</summary>
internal enum AnswerSource
{
    /// <summary>The model ran for it alone.</summary>
    OwnRun,

    /// <summary>A run that requests share.</summary>
    SharedRun,

    /// <summary>An answer that was kept.</summary>
    Cache,
}
