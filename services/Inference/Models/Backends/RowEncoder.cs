using Microsoft.ML.OnnxRuntime.Tensors;
using MlOps.Inference.Predictions;
using MlOps.Numerics.Onnx;

namespace MlOps.Inference.Models.Backends;

/// <summary>
/// Turns the inputs of a request into the rows the model proper sees, with the graph's own float32 arithmetic to the bit
/// and without ONNX Runtime. Safe to call from many threads at once, without allocating.
/// </summary>
internal sealed class RowEncoder
{
    private readonly EncodedColumn[] _columns;
    private readonly int _batched;

    /// <exception cref="NotSupportedException">An input is not what the graph's front takes; names it.</exception>
    public RowEncoder(IReadOnlyList<EncodedFeature> features, TensorLayout[] inputs)
    {
        Width = features.Count;
        Origins = [.. features.Select(feature => new EncodedOrigin(
            Array.FindIndex(inputs, input => input.Name == feature.Input), feature.Element))];
        Names = [.. features.Zip(Origins, (feature, origin) => NameOf(feature, inputs[origin.Input]))];
        foreach (var input in Origins.Select(origin => inputs[origin.Input]).Distinct()) Check(input);
        _batched = Origins[0].Input;
        _columns = [.. ColumnsOf(features, inputs)];
        HasSteps = features.Any(feature => feature.Steps.Count > 0);
        IsPlain = inputs[_batched].Datatype.Element == TensorElementType.Float && inputs[_batched].Shape[1] == Width
            && Origins.Select((origin, place) => origin == new EncodedOrigin(_batched, place)).All(isAsGiven => isAsGiven)
            && !HasSteps;
    }

    /// <summary>Whether more is done with a value than taking it or looking its category up.</summary>
    public bool HasSteps { get; }

    /// <summary>Whether the rows are the one float32 input as it is.</summary>
    public bool IsPlain { get; }

    /// <summary>Places of an encoded row.</summary>
    public int Width { get; }

    /// <summary>Where each place comes from.</summary>
    public IReadOnlyList<EncodedOrigin> Origins { get; }

    /// <summary>Like <c>distance</c>, <c>x[3]</c> and <c>origin=ATL</c>.</summary>
    public IReadOnlyList<string> Names { get; }

    public int RowsOf(ReadOnlySpan<InputSlot> inputs) => inputs[_batched].Rows;

    /// <summary>Encodes <paramref name="rows"/> rows from <paramref name="first"/> on.</summary>
    /// <param name="inputs">Checked, in the model's order.</param>
    /// <param name="first">Row of the request.</param>
    /// <param name="rows">How many.</param>
    /// <param name="design">rows × <see cref="Width"/>, row-major; filled.</param>
    public void Encode(ReadOnlySpan<InputSlot> inputs, int first, int rows, Span<float> design)
    {
        foreach (var column in _columns) column.Fill(inputs[column.Input], first, rows, design, Width);
    }

    private static void Check(TensorLayout input)
    {
        if (!input.IsBatched || input.Shape is not [_, > 0])
        {
            throw new NotSupportedException($"Input '{input.Name}' is not of shape [-1,width] in the signature.");
        }
    }

    private static string NameOf(EncodedFeature feature, TensorLayout input)
    {
        var name = input.Shape is [_, 1] ? input.Name : $"{input.Name}[{feature.Element}]";
        return feature.Category is null ? name : $"{name}={feature.Category}";
    }

    // Places side by side that come from one text are one column: its category is looked up once.
    private IEnumerable<EncodedColumn> ColumnsOf(IReadOnlyList<EncodedFeature> features, TensorLayout[] inputs)
    {
        for (var place = 0; place < features.Count;)
        {
            var (feature, origin) = (features[place], Origins[place]);
            var layout = inputs[origin.Input];
            if (feature.Category is null)
            {
                yield return NumbersOf(layout, origin, place, feature);
                place++;
                continue;
            }

            var end = place;
            var seen = new HashSet<string>(StringComparer.Ordinal);
            while (end < features.Count && Origins[end] == origin && features[end].Category is { } category && seen.Add(category)) end++;
            if (!layout.Datatype.IsText) throw new NotSupportedException($"Input '{layout.Name}' is not text.");
            yield return new CategoryColumn(origin.Input, origin.Element, (int)layout.Shape[1], place, [.. features.Skip(place).Take(end - place)]);
            place = end;
        }
    }

    private static EncodedColumn NumbersOf(TensorLayout layout, EncodedOrigin origin, int place, EncodedFeature feature)
    {
        var (input, at, stride) = (origin.Input, origin.Element, (int)layout.Shape[1]);
        return layout.Datatype.Element switch
        {
            TensorElementType.Float => new NumberColumn<float>(input, at, stride, place, feature, static value => value),
            TensorElementType.Double => new NumberColumn<double>(input, at, stride, place, feature, static value => (float)value),
            TensorElementType.Float16 => new NumberColumn<System.Half>(input, at, stride, place, feature, static value => (float)value),
            TensorElementType.Int64 => new NumberColumn<long>(input, at, stride, place, feature, static value => value),
            TensorElementType.Int32 => new NumberColumn<int>(input, at, stride, place, feature, static value => value),
            TensorElementType.Int16 => new NumberColumn<short>(input, at, stride, place, feature, static value => value),
            TensorElementType.Int8 => new NumberColumn<sbyte>(input, at, stride, place, feature, static value => value),
            TensorElementType.UInt64 => new NumberColumn<ulong>(input, at, stride, place, feature, static value => value),
            TensorElementType.UInt32 => new NumberColumn<uint>(input, at, stride, place, feature, static value => value),
            TensorElementType.UInt16 => new NumberColumn<ushort>(input, at, stride, place, feature, static value => value),
            TensorElementType.UInt8 => new NumberColumn<byte>(input, at, stride, place, feature, static value => value),
            TensorElementType.Bool => new NumberColumn<byte>(input, at, stride, place, feature, static value => value == 0 ? 0 : 1),
            _ => throw new NotSupportedException($"Input '{layout.Name}' is {layout.Datatype.Name}, which the encoder does not take."),
        };
    }
}

/// <summary>Where a place of an encoded row comes from.</summary>
/// <param name="Input">Place of the input among the model's.</param>
/// <param name="Element">Place of the value in the input's row.</param>
internal readonly record struct EncodedOrigin(int Input, int Element);
