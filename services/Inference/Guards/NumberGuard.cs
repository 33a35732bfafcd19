using System.Globalization;
using System.Numerics;
using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime.Tensors;
using MlOps.Inference.Models;
using MlOps.Inference.Predictions;
using MlOps.Numerics.Profiles;

namespace MlOps.Inference.Guards;

/// <summary>Holds numbers against the range of training: two comparisons each.</summary>
internal sealed class NumberGuard : ValueGuard
{
    private readonly GuardAction _range;
    private readonly double _least;
    private readonly double _greatest;
    private readonly string _rangeFlag;
    private readonly string _below;
    private readonly string _above;

    public NumberGuard(
        Datatype datatype, string name, int element, GuardAction missing, FeatureProfile profile, GuardSettings settings)
        : base(name, element, missing)
    {
        _range = settings.ActionOf(GuardCheck.Range, name);
        var isWhole = settings.RangeOfInput(name) == GuardRange.MinMax;
        // Where training had no value at all, none is within its range.
        var least = (isWhole ? profile.Min : profile.Quantiles.Cast<double?>().FirstOrDefault()) ?? double.PositiveInfinity;
        var greatest = (isWhole ? profile.Max : profile.Quantiles.Cast<double?>().LastOrDefault()) ?? double.NegativeInfinity;
        var room = greatest >= least ? settings.MarginOf(name) * (greatest - least) : 0;
        (least, greatest) = (least - room, greatest + room);
        // Training knew 0.1, requests bring the FP32 next to it: that is no other value.
        _least = Tensors.Rounded(datatype, least);
        _greatest = Tensors.Rounded(datatype, greatest);
        _rangeFlag = $"range:{name}";
        var bounds = string.Create(CultureInfo.InvariantCulture, $"{least:R} to {greatest:R}");
        _below = $"is below the range of training, {bounds}";
        _above = $"is above the range of training, {bounds}";
    }

    public override int Checks => (_range == GuardAction.Off ? 0 : 1 << (int)GuardCheck.Range) | MissingBit;

    public override void Check(InputSlot slot, int width, ref GuardFindings findings)
    {
        var from = Element;
        if (slot.Layout.Datatype.Element == TensorElementType.Float)
        {
            var singles = MemoryMarshal.Cast<byte, float>(slot.Bytes);
            from = width == 1 ? FirstStrange(singles) : FirstStrange(singles, width);
        }

        if (from < slot.Count) Find(slot, from, width, ref findings);
    }

    // The ordinary case in vectors; NaN is not within, either.
    private int FirstStrange(ReadOnlySpan<float> values)
    {
        var (least, greatest) = (new Vector<float>((float)_least), new Vector<float>((float)_greatest));
        var i = 0;
        for (; i <= values.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            var some = new Vector<float>(values[i..]);
            if (!Vector.GreaterThanOrEqualAll(some, least) || !Vector.LessThanOrEqualAll(some, greatest)) return i;
        }

        while (i < values.Length && values[i] >= _least && values[i] <= _greatest) i++;
        return i;
    }

    private int FirstStrange(ReadOnlySpan<float> values, int width)
    {
        var i = Element;
        while (i < values.Length && values[i] >= _least && values[i] <= _greatest) i += width;
        return i;
    }

    private void Find(InputSlot slot, int from, int width, ref GuardFindings findings)
    {
        var (isOutside, isMissing) = (_range == GuardAction.Off, Missing == GuardAction.Off);
        for (var i = from; i < slot.Count && !(isOutside && isMissing); i += width)
        {
            var value = Tensors.NumberAt(slot.Layout.Datatype, slot.Bytes, i);
            if (value >= _least && value <= _greatest) continue;
            if (double.IsNaN(value))
            {
                if (!isMissing) AddMissing(ref findings, i / width);
                isMissing = true;
                continue;
            }

            if (!isOutside) findings.Add(GuardCheck.Range, _range, _rangeFlag, Name, value < _least ? _below : _above, i / width);
            isOutside = true;
        }
    }
}
