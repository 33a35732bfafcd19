using System.Runtime.InteropServices;
using System.Text;
using Microsoft.ML.OnnxRuntime;
using MlOps.Inference.Predictions;
using MlOps.Numerics.Trees;

namespace MlOps.Inference.Models.Backends;

/// <summary>The labels of a classifier by their places.</summary>
internal sealed class TreeLabels(OnnxTrees trees)
{
    private readonly long[] _numbers = [.. trees.NumberLabels];
    private readonly byte[][] _texts = [.. trees.TextLabels.Select(Encoding.UTF8.GetBytes)];

    /// <param name="places">One per row.</param>
    /// <param name="output">Takes shape and values.</param>
    public void Write(ReadOnlySpan<int> places, OutputSlot output)
    {
        var values = MemoryMarshal.Cast<byte, long>(output.Begin([places.Length]));
        for (var row = 0; row < places.Length; row++)
        {
            if (_texts.Length > 0) output.AppendText(_texts[places[row]]);
            else values[row] = _numbers[places[row]];
        }
    }

    public OrtValue ToValue(ReadOnlySpan<int> places)
    {
        if (_texts.Length == 0)
        {
            var numbers = new long[places.Length];
            for (var row = 0; row < numbers.Length; row++) numbers[row] = _numbers[places[row]];
            return OrtValue.CreateTensorValueFromMemory(numbers, [numbers.Length]);
        }

        var texts = OrtValue.CreateTensorWithEmptyStrings(OrtAllocator.DefaultInstance, [places.Length]);
        for (var row = 0; row < places.Length; row++) texts.StringTensorSetElementAt(_texts[places[row]], row);
        return texts;
    }
}
