using System.Runtime.InteropServices;
using MlOps.Inference.Predictions;
using MlOps.Numerics.Onnx;

namespace MlOps.Inference.Models.Backends;

/// <summary>Fills one or more places of encoded rows from one value of each row.</summary>
internal abstract class EncodedColumn(int input)
{
    /// <summary>Place of the input among the model's.</summary>
    public int Input => input;

    /// <param name="slot">The input.</param>
    /// <param name="first">First row of the input.</param>
    /// <param name="rows">How many.</param>
    /// <param name="design">rows × width, row-major.</param>
    /// <param name="width">Places of a row.</param>
    public abstract void Fill(InputSlot slot, int first, int rows, Span<float> design, int width);
}

/// <summary>One place: the number itself, and the steps on it.</summary>
internal sealed class NumberColumn<T>(int input, int element, int stride, int place, EncodedFeature feature, Func<T, float> cast)
    : EncodedColumn(input)
    where T : unmanaged
{
    private readonly EncodingStep[] _steps = [.. feature.Steps];

    public override void Fill(InputSlot slot, int first, int rows, Span<float> design, int width)
    {
        var values = MemoryMarshal.Cast<byte, T>(slot.Bytes)[(first * stride)..];
        for (var row = 0; row < rows; row++)
        {
            var value = cast(values[(row * stride) + element]);
            foreach (ref readonly var step in _steps.AsSpan()) value = step.Apply(value);
            design[(row * width) + place] = value;
        }
    }
}

/// <summary>Places side by side, one per category of a text; all alike but the one it equals.</summary>
internal sealed class CategoryColumn(int input, int element, int stride, int place, EncodedFeature[] categories)
    : EncodedColumn(input)
{
    private readonly Utf8Table _table = new(categories.Select(feature => feature.Category ?? ""));
    private readonly float[] _absent = [.. categories.Select(feature => feature.Apply(0))];
    private readonly float[] _present = [.. categories.Select(feature => feature.Apply(1))];

    public override void Fill(InputSlot slot, int first, int rows, Span<float> design, int width)
    {
        for (var row = 0; row < rows; row++)
        {
            var places = design.Slice((row * width) + place, _absent.Length);
            _absent.CopyTo(places);
            if (_table.Find(slot.Text(((first + row) * stride) + element)) is >= 0 and var found) places[found] = _present[found];
        }
    }
}
