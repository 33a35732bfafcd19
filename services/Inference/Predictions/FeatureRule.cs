using System.Globalization;
using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Tables.V1;
using MlOps.Inference.Models;
using MlOps.Numerics.Profiles;

namespace MlOps.Inference.Predictions;

/// <summary>The policy of one input of a version, with the values that may stand in its place made once.</summary>
internal sealed class FeatureRule
{
    private const double MedianLevel = 0.5;
    private readonly FeatureAction _whenMissing;
    private readonly FeatureAction _whenStale;
    private readonly long _maxAgeMicros;
    private readonly Column? _default;
    private readonly Column? _imputed;

    private FeatureRule(TensorLayout layout, FeatureSettings settings, FeatureProfile? profile)
    {
        var own = settings.Inputs.GetValueOrDefault(layout.Name);
        _whenMissing = own?.WhenMissing ?? settings.WhenMissing;
        _whenStale = own?.WhenStale ?? settings.WhenStale;
        _maxAgeMicros = (own?.MaxAge ?? settings.MaxAge) is { } age ? (long)age.TotalMicroseconds : long.MaxValue;
        _default = own?.Default is { } text ? ColumnOf(layout, text) : null;
        _imputed = profile is null ? null : ImputedOf(layout, profile);
        MissingFlag = $"missing:{layout.Name}";
        StaleFlag = $"stale:{layout.Name}";
        DefaultFlag = $"default:{layout.Name}";
        ImputedFlag = $"imputed:{layout.Name}";
    }

    public string MissingFlag { get; }

    public string StaleFlag { get; }

    public string DefaultFlag { get; }

    public string ImputedFlag { get; }

    /// <returns>One per input.</returns>
    /// <exception cref="InvalidDataException">A default is not of its input's datatype.</exception>
    public static FeatureRule[] Of(TensorLayout[] inputs, ReferenceProfile? profile, FeatureSettings settings) =>
    [
        .. inputs.Select(layout => new FeatureRule(
            layout, settings, profile?.Features.FirstOrDefault(feature => feature.Name == layout.Name))),
    ];

    public FeatureAction ActionOf(FeatureCondition condition) =>
        condition == FeatureCondition.Missing ? _whenMissing : condition == FeatureCondition.Stale ? _whenStale : FeatureAction.Leave;

    /// <summary>A column of one row with what an action puts in the value's place; null: there is none.</summary>
    public Column? ValueOf(FeatureAction action) => action switch
    {
        FeatureAction.Default => _default,
        FeatureAction.Impute => _imputed,
        _ => null,
    };

    /// <param name="status">The store's word.</param>
    /// <param name="eventTimeMicros">Time of the value.</param>
    /// <param name="nowMicros">Time of the request.</param>
    /// <param name="maxAgeMicros">Greatest age the request allows.</param>
    public FeatureCondition ConditionOf(FeatureStatus status, long eventTimeMicros, long nowMicros, long maxAgeMicros) => status switch
    {
        FeatureStatus.Present when nowMicros - eventTimeMicros > Math.Min(_maxAgeMicros, maxAgeMicros) => FeatureCondition.Stale,
        FeatureStatus.Present => FeatureCondition.Present,
        FeatureStatus.OutsideMaxAge => FeatureCondition.Stale,
        _ => FeatureCondition.Missing,
    };

    private static Column ColumnOf(TensorLayout layout, string text)
    {
        var datatype = layout.Datatype;
        var column = new Column { Name = layout.Name };
        if (datatype.IsText) column.Texts = new TextValues { Values = { text } };
        else if (datatype.IsFloating && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number))
        {
            column.Doubles = new DoubleValues { Values = { number } };
        }
        else if (bool.TryParse(text, out var truth)) column.Booleans = new BooleanValues { Values = { truth } };
        else if (long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var integer))
        {
            column.Integers = new IntegerValues { Values = { integer } };
        }

        return Fits(layout, column)
            ? column
            : throw new InvalidDataException($"Setting Features:Inputs:{layout.Name}:Default '{text}' is no {datatype.Name}.");
    }

    private static Column? ImputedOf(TensorLayout layout, FeatureProfile profile)
    {
        var column = new Column { Name = layout.Name };
        if (profile.Kind == FeatureKind.Categorical)
        {
            if (profile.Categories.Count == 0) return null;
            var mode = profile.Categories.MaxBy(category => category.Value).Key;
            if (layout.Datatype.IsText) column.Texts = new TextValues { Values = { mode } };
            else if (bool.TryParse(mode, out var truth)) column.Booleans = new BooleanValues { Values = { truth } };
        }
        else if (profile.Quantiles.Length == FeatureProfile.QuantileLevels.Count)
        {
            var median = profile.Quantiles[FeatureProfile.QuantileLevels.ToList().IndexOf(MedianLevel)];
            if (layout.Datatype.IsFloating) column.Doubles = new DoubleValues { Values = { median } };
            else column.Integers = new IntegerValues { Values = { (long)Math.Round(median) } };
        }

        return Fits(layout, column) ? column : null;
    }

    private static bool Fits(TensorLayout layout, Column column)
    {
        if (column.ValuesCase == Column.ValuesOneofCase.None) return false;
        var slot = new InputSlot(layout);
        return Columns.TryAppend(slot, column, 0) is null
            && (!layout.Datatype.IsFloating || double.IsFinite(Tensors.NumberAt(layout.Datatype, slot.Bytes, 0)));
    }
}
