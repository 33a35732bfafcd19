namespace MlOps.Inference.Explanations;

/// <summary>How a prediction is to be taken apart.</summary>
internal enum ExplanationMethod
{
    /// <summary>Exactly where the model allows it and no background is given to trees, else by sampling.</summary>
    Auto,

    /// <summary>TreeSHAP or linear SHAP, or not at all.</summary>
    Exact,

    /// <summary>By sampling, whatever the model is.</summary>
    Sampling,
}
