using System.Text;
using System.Text.Json;
using MlOps.Inference.Models;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.BatchJobs.Rows;

/// <summary>What a column of the rows is for; −1: not for that.</summary>
internal readonly record struct ColumnUse(int Slot, int At, int Kept, int Key, bool IsTime)
{
    public static readonly ColumnUse None = new(-1, 0, -1, -1, false);

    /// <summary><see cref="At"/> of a column that holds all of a row's values of its input.</summary>
    public const int All = -1;

    public bool IsUsed => Slot >= 0 || Kept >= 0 || Key >= 0 || IsTime;
}

/// <summary>Which column of the rows goes where: into the model's inputs, into the output, to the feature store.</summary>
internal sealed class RowPlan
{
    private readonly byte[][] _namesUtf8;

    private RowPlan(string[] names, ColumnUse[] uses, int[] lookedUp, string[] kept, string[] keys)
    {
        (Names, Uses, LookedUp, Kept, Keys) = (names, uses, lookedUp, kept, keys);
        _namesUtf8 = [.. names.Select(Encoding.UTF8.GetBytes)];
    }

    /// <summary>Columns of the rows, in order.</summary>
    public string[] Names { get; }

    /// <summary>Parallel to <see cref="Names"/>.</summary>
    public ColumnUse[] Uses { get; }

    /// <summary>Inputs whose values the feature store gives.</summary>
    public int[] LookedUp { get; }

    /// <summary>Columns that stand in the output as they came.</summary>
    public string[] Kept { get; }

    /// <summary>Columns by which features are looked up.</summary>
    public string[] Keys { get; }

    /// <param name="model">Whose inputs are to be filled.</param>
    /// <param name="columns">Names of the rows' columns.</param>
    /// <param name="kept">Those the output keeps.</param>
    /// <param name="keys">Those features are looked up by, where an input is not among the columns.</param>
    /// <param name="timeColumn">The one with each row's time; empty: none.</param>
    /// <param name="violations">Takes what does not fit.</param>
    public static RowPlan Of(
        LoadedModel model, string[] columns, string[] kept, string[] keys, string timeColumn, Violations violations)
    {
        var uses = Enumerable.Repeat(ColumnUse.None, columns.Length).ToArray();
        var lookedUp = new List<int>();
        for (var slot = 0; slot < model.Inputs.Length; slot++)
        {
            if (!TryUse(slot, model, columns, uses, violations)) lookedUp.Add(slot);
        }

        for (var i = 0; i < kept.Length; i++)
        {
            if (Find(columns, kept[i], "keep_columns", violations) is { } at) uses[at] = uses[at] with { Kept = i };
        }

        if (lookedUp.Count == 0) return new(columns, uses, [], kept, []);
        for (var i = 0; i < keys.Length; i++)
        {
            if (Find(columns, keys[i], "columns", violations) is { } at) uses[at] = uses[at] with { Key = i };
        }

        if (timeColumn.Length > 0 && Find(columns, timeColumn, "as_of_column", violations) is { } time)
        {
            uses[time] = uses[time] with { IsTime = true };
        }

        return new(columns, uses, [.. lookedUp], kept, keys);
    }

    /// <summary>The column a JSON string names; rows mostly keep the order of the first. −1: none.</summary>
    public int Find(ref Utf8JsonReader reader, int hint)
    {
        for (var i = 0; i < _namesUtf8.Length; i++)
        {
            var at = hint + i < _namesUtf8.Length ? hint + i : hint + i - _namesUtf8.Length;
            if (reader.ValueTextEquals(_namesUtf8[at])) return at;
        }

        return -1;
    }

    /// <summary>Whether the column is the one expected here, by its bytes.</summary>
    public bool IsAt(int column, ReadOnlySpan<byte> nameUtf8) =>
        column < _namesUtf8.Length && nameUtf8.SequenceEqual(_namesUtf8[column]);

    // False: the feature store is asked.
    private static bool TryUse(int slot, LoadedModel model, string[] columns, ColumnUse[] uses, Violations violations)
    {
        var layout = model.Inputs[slot];
        if (!layout.IsBatched || (layout.Datatype.IsText && layout.RowWidth > 1))
        {
            violations.Add(layout.Name, $"takes {layout.ShapeText}, which rows of single values cannot give");
            return true;
        }

        var whole = Array.IndexOf(columns, layout.Name);
        if (whole >= 0)
        {
            uses[whole] = uses[whole] with { Slot = slot, At = layout.RowWidth == 1 ? 0 : ColumnUse.All };
            return true;
        }

        if (layout.RowWidth == 1)
        {
            violations.AddIf(
                model.FeatureService.Length == 0, layout.Name, "is not a column of the input, and the model has no feature service to ask");
            return false;
        }

        for (var at = 0; at < layout.RowWidth; at++)
        {
            if (Find(columns, $"{layout.Name}[{at}]", "columns", violations) is { } one) uses[one] = uses[one] with { Slot = slot, At = at };
        }

        return true;
    }

    private static int? Find(string[] columns, string name, string field, Violations violations)
    {
        var at = Array.IndexOf(columns, name);
        violations.AddIf(at < 0, field, $"the input has no column '{Predictions.Workspace.Shown(name)}'");
        return at < 0 ? null : at;
    }
}
