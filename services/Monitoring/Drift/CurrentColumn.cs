using System.Globalization;
using MlOps.Contracts.Monitoring.V1;
using MlOps.Monitoring.PredictionLog;
using MlOps.Numerics.Profiles;
using MlOps.Numerics.Statistics;

namespace MlOps.Monitoring.Drift;

/// <summary>The values of one column in the log, counted as they are read; memory grows with distinct values only.</summary>
internal sealed class CurrentColumn(FeatureKind kind)
{
    private const int BufferedValues = 131_072;
    private readonly List<double> _buffered = [];
    private readonly Dictionary<string, long> _categories = [];
    private EmpiricalDistribution _counted = EmpiricalDistribution.Empty;
    private long _missingCategories;

    public FeatureKind Kind => kind;

    /// <summary>Numeric: what was seen; NaN and ±∞ count as missing.</summary>
    public EmpiricalDistribution Numbers()
    {
        Count();
        return _counted;
    }

    /// <summary>Categorical: how often each was seen.</summary>
    public IReadOnlyDictionary<string, long> Categories => _categories;

    public long MissingCategories => _missingCategories;

    public void Add(double value)
    {
        _buffered.Add(value);
        if (_buffered.Count == BufferedValues) Count();
    }

    public void Add(string? category)
    {
        // A hash compares with nothing the profile knows.
        if (category?.StartsWith(PredictionRecord.MaskedPrefix, StringComparison.Ordinal) == true) return;
        if (category is null) _missingCategories++;
        else _categories[category] = _categories.GetValueOrDefault(category) + 1;
    }

    /// <summary>Takes in a row's value, read as the profile read it; a text that is no number is missing as one.</summary>
    public void Add(InputSlot slot, double[] numbers, string?[] texts)
    {
        switch (kind, slot.Kind)
        {
            case (FeatureKind.Categorical, "t"):
                Add(texts[slot.Index]);
                break;
            case (FeatureKind.Categorical, _):
                Add(Category(slot.Kind, numbers[slot.Index]));
                break;
            case (_, "t"):
                var text = texts[slot.Index];
                Add(double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var parsed) ? parsed : double.NaN);
                break;
            default:
                Add(numbers[slot.Index]);
                break;
        }
    }

    private static string? Category(string kind, double number) => kind switch
    {
        _ when double.IsNaN(number) => null,
        "b" => number == 0 ? "false" : "true",
        _ => number.ToString("R", CultureInfo.InvariantCulture),
    };

    private void Count()
    {
        if (_buffered.Count == 0) return;
        _counted = _counted.Merge(EmpiricalDistribution.FromSamples(_buffered.ToArray()));
        _buffered.Clear();
    }
}
