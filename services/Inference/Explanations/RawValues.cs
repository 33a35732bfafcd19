using System.Globalization;
using MlOps.Inference.Models;

namespace MlOps.Inference.Explanations;

/// <summary>The values of a row a caller gives, which are what is explained: one per input, or per place of one that has several.</summary>
internal sealed class RawValues
{
    private readonly Dictionary<(int Input, int Element), int> _places = [];

    public RawValues(TensorLayout[] inputs)
    {
        var all = new List<RawValue>();
        for (var input = 0; input < inputs.Length; input++)
        {
            var layout = inputs[input];
            if (WidthOf(layout) is not { } width)
            {
                Odd ??= layout.Name;
                continue;
            }

            for (var element = 0; element < width; element++)
            {
                _places[(input, element)] = all.Count;
                all.Add(new RawValue(input, element, width == 1
                    ? layout.Name
                    : string.Create(CultureInfo.InvariantCulture, $"{layout.Name}[{element}]")));
            }
        }

        All = all;
        Names = [.. all.Select(value => value.Name)];
    }

    public IReadOnlyList<RawValue> All { get; }

    public IReadOnlyList<string> Names { get; }

    /// <summary>An input without a fixed number of values a row, which cannot be exchanged between rows; null: there is none.</summary>
    public string? Odd { get; }

    public int PlaceOf(int input, int element) => _places[(input, element)];

    private static int? WidthOf(TensorLayout layout)
    {
        if (!layout.IsBatched) return null;
        var width = 1L;
        foreach (var size in layout.Shape.AsSpan(1)) width *= size == -1 && layout.IsScalarPerRow ? 1 : size;
        return width is >= 1 and <= int.MaxValue ? (int)width : null;
    }
}

/// <summary>One value of a row.</summary>
/// <param name="Input">Place of its input among the model's.</param>
/// <param name="Element">Its place in the input's row.</param>
/// <param name="Name">As the prediction log names it.</param>
internal readonly record struct RawValue(int Input, int Element, string Name);
