namespace MlOps.Numerics.Onnx;

/// <summary>How one place of the row a model sees follows from one raw value.</summary>
/// <param name="Input">Name of the raw input, of shape [N, width].</param>
/// <param name="Element">Place of the value in the input's row.</param>
/// <param name="Category">
/// Null: the value itself as float32. Else 1 where the text equals this and 0 elsewhere, before the steps.
/// </param>
/// <param name="Steps">What is done with it, in order.</param>
public sealed record EncodedFeature(string Input, int Element, string? Category, IReadOnlyList<EncodingStep> Steps)
{
    /// <summary>The steps applied to a value, in float32 as ONNX Runtime has them.</summary>
    public float Apply(float value)
    {
        foreach (var step in Steps)
            value = step.Apply(value);
        return value;
    }
}

/// <summary>One step from a raw value to an encoded one, in float32.</summary>
/// <param name="Kind">What is done.</param>
/// <param name="First">Impute: the value replaced, NaN for a missing one. Scale: the offset.</param>
/// <param name="Second">Impute: the value in its place. Scale: the factor.</param>
public readonly record struct EncodingStep(EncodingStepKind Kind, float First, float Second)
{
    public float Apply(float value) => Kind switch
    {
        EncodingStepKind.Impute => value == First || (float.IsNaN(First) && float.IsNaN(value)) ? Second : value,
        _ => (value - First) * Second,
    };
}

/// <summary>What an <see cref="EncodingStep"/> does.</summary>
public enum EncodingStepKind
{
    Impute,

    /// <summary>(x − offset) · factor.</summary>
    Scale,
}
