namespace MlOps.Numerics.Onnx;

/// <summary>One raw column a model is fed with, by the feature's own name.</summary>
public abstract record TabularInput(string Name);

/// <summary>
/// float32 [N, 1]: NaN becomes <paramref name="Impute"/> if that is given, then (x − offset) · scale in float32.
/// Left alone, x passes through as it is and NaN stays NaN, which trees handle themselves.
/// </summary>
public sealed record NumericInput(string Name, float? Impute = null, float Offset = 0, float Scale = 1)
    : TabularInput(Name);

/// <summary>
/// string [N, 1]: one column per category, 1 in the one that matches exactly and 0 elsewhere; all 0 for a value unseen.
/// </summary>
public sealed record CategoricalInput(string Name, string[] Categories) : TabularInput(Name);
