using System.Globalization;
using System.Text;
using MlOps.Inference.Models;
using MlOps.Inference.Predictions;
using MlOps.Numerics.Profiles;

namespace MlOps.Inference.Explanations;

/// <summary>The values one raw value had in training with their shares: a missing one first, then numbers ascending or categories.</summary>
internal sealed class ProfiledValues
{
    private readonly bool _hasMissing;
    private readonly double[] _numbers;
    private readonly byte[][] _texts;
    private readonly long[] _counts;
    private readonly double[] _ends;

    private ProfiledValues(bool hasMissing, long missing, double[] numbers, byte[][] texts, IEnumerable<long> counts)
    {
        (_hasMissing, _numbers, _texts) = (hasMissing, numbers, texts);
        _counts = hasMissing ? [missing, .. counts] : [.. counts];
        var total = (double)_counts.Sum();
        _ends = new double[_counts.Length];
        var sum = 0L;
        for (var i = 0; i < _ends.Length; i++) _ends[i] = (sum += _counts[i]) / total;
    }

    /// <summary>Different values.</summary>
    public int Count => _counts.Length;

    public double ShareOf(int value) => value == 0 ? _ends[0] : _ends[value] - _ends[value - 1];

    /// <summary>The value at a level in [0, 1): of levels drawn evenly it makes a sample.</summary>
    public int At(double level)
    {
        var place = Array.BinarySearch(_ends, level);
        // The end of a value is the next one's beginning.
        return Math.Min(place < 0 ? ~place : place + 1, _ends.Length - 1);
    }

    public void AppendTo(InputSlot slot, int value)
    {
        if (_hasMissing && value-- == 0) slot.TryAppendMissing();
        else if (_texts.Length > 0) slot.TryAppendText(_texts[value]);
        else Columns.AppendNumber(slot, _numbers[value]);
    }

    /// <exception cref="NotSupportedException">The profile is of another kind of values than the input, or saw none.</exception>
    public static ProfiledValues Of(FeatureProfile profile, TensorLayout layout)
    {
        var isCategorical = profile.Kind == FeatureKind.Categorical;
        var takesMissing = profile.Missing > 0 && layout.IsNullable && (layout.Datatype.IsFloating || layout.Datatype.IsText);
        if (profile.Total == 0 && !takesMissing) throw new NotSupportedException($"The reference profile has no value of '{profile.Name}'.");
        if (isCategorical && layout.Datatype.IsText)
        {
            return new ProfiledValues(
                takesMissing, profile.Missing, [], [.. profile.Categories.Keys.Select(Encoding.UTF8.GetBytes)], profile.Categories.Values);
        }

        if (layout.Datatype.IsText) throw new NotSupportedException($"The reference profile has numbers where '{profile.Name}' is text.");
        if (!isCategorical) return new ProfiledValues(takesMissing, profile.Missing, profile.Values, [], profile.Counts);
        var numbers = profile.Categories.Keys.Select(NumberOf).ToArray();
        return Array.TrueForAll(numbers, double.IsFinite)
            ? new ProfiledValues(takesMissing, profile.Missing, numbers, [], profile.Categories.Values)
            : throw new NotSupportedException($"The reference profile has categories where '{profile.Name}' is {layout.Datatype.Name}.");
    }

    private static double NumberOf(string category) => bool.TryParse(category, out var truth) ? truth ? 1 : 0
        : double.TryParse(category, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number
        : double.NaN;
}
