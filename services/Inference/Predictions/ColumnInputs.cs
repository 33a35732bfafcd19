using System.Globalization;
using MlOps.Contracts.Tables.V1;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Predictions;

/// <summary>
/// Fills inputs from the columns of a table by the names the prediction log gives them: <c>distance</c>, or <c>x[0]</c> …
/// <c>x[3]</c> of an input with several values a row.
/// </summary>
internal static class ColumnInputs
{
    /// <summary>The columns of an input; none where the table lacks it.</summary>
    public static IReadOnlyList<Column> Find(Table? table, string input)
    {
        if (PredictRows.IndexOf(table, input) is >= 0 and var single) return [table!.Columns[single]]; // It has the column.
        var found = new List<Column>();
        while (PredictRows.IndexOf(table, string.Create(CultureInfo.InvariantCulture, $"{input}[{found.Count}]")) is >= 0 and var next)
        {
            found.Add(table!.Columns[next]);
        }

        return found;
    }

    /// <returns>Null when the input is filled, else the rule that is broken.</returns>
    public static string? TryFill(InputSlot slot, IReadOnlyList<Column> columns, int rows, Violations violations)
    {
        var layout = slot.Layout;
        if (!layout.IsBatched) return "is not per row";
        if (ShapeOf(layout.Shape, rows, columns.Count) is not { } shape) return $"must have shape {layout.ShapeText}, not {columns.Count} values a row";
        slot.TryBegin(violations);
        if (!slot.TryShape(layout.Datatype.Name, shape, violations)) return null;
        for (var row = 0; row < rows; row++)
        {
            foreach (var column in columns)
            {
                if (Columns.TryAppend(slot, column, row) is { } broken) return $"{broken} (row {row})";
            }
        }

        return null;
    }

    // At most one size may be open: the number of values decides it.
    private static long[]? ShapeOf(long[] layout, int rows, int width)
    {
        long[] shape = [rows, .. layout.AsSpan(1)];
        var open = shape.AsSpan(1).IndexOf(-1) + 1;
        var product = 1L;
        foreach (var size in shape.AsSpan(1)) product *= size == -1 ? 1 : size;
        if (open == 0) return product == width ? shape : null;
        if (shape.AsSpan(open + 1).Contains(-1))
        {
            // Several open sizes are known only where all of them are one.
            return product == width ? [.. shape.Select(size => Math.Max(1, size))] : null;
        }

        shape[open] = width / product;
        return shape[open] * product == width ? shape : null;
    }
}
