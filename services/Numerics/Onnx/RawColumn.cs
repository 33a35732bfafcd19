namespace MlOps.Numerics.Onnx;

/// <summary>The raw values of one input, a value per row.</summary>
public abstract record RawColumn(string Name)
{
    /// <summary>Number of rows.</summary>
    public abstract int Length { get; }
}

/// <summary>
/// Values of a <see cref="NumericInput"/>; NaN where there is none. Cast doubles to float once, and only here.
/// </summary>
public sealed record NumericColumn(string Name, float[] Values) : RawColumn(Name)
{
    public override int Length => Values.Length;
}

/// <summary>
/// Values of a <see cref="CategoricalInput"/>; null where there is none, which counts as the empty text.
/// </summary>
public sealed record TextColumn(string Name, string?[] Values) : RawColumn(Name)
{
    public override int Length => Values.Length;
}
