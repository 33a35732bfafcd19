namespace MlOps.Inference.Predictions;

/// <summary>What stands in a looked-up feature's place when it is missing or stale.</summary>
internal enum FeatureAction
{
    /// <summary>Nothing: a model that takes missing values gets one, any other request is refused.</summary>
    Leave,

    /// <summary>The request is refused: InvalidArgument / 400.</summary>
    Fail,

    /// <summary>The value of the settings.</summary>
    Default,

    /// <summary>What training had in the middle: the median of numbers, the most frequent category.</summary>
    Impute,

    /// <summary>Another version, one that does not need it, answers.</summary>
    Fallback,
}
