using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Tables.V1;
using MlOps.Inference.Models;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Predictions;

/// <summary>
/// Fills a model's inputs from rows of columns by name: those in the request win, the rest comes from the online store
/// in one call.
/// </summary>
internal sealed class PredictRows(FeatureLookup lookup)
{
    /// <summary>Most columns of a request, by either protocol.</summary>
    public const int MaxColumns = 1_000;

    /// <summary>Most rows times columns: a column stands in every row, given there or not.</summary>
    public const int MaxCells = 1_000_000;

    private const int MaxReported = 20;

    /// <returns>The features looked up; null when the request had all.</returns>
    /// <exception cref="InvalidRequestException">ROWS_INVALID, INPUT_INVALID: every column that breaks a rule, and the rule.</exception>
    public async Task<GetOnlineFeaturesResponse?> FillAsync(
        LoadedModel model, Workspace workspace, Table rows, CancellationToken ct)
    {
        var count = CountRows(rows);
        var features = HasAll(workspace, rows) || model.FeatureService.Length == 0
            ? null
            : await lookup.FetchAsync(model.FeatureService, rows, count, ct);
        var violations = new Violations();
        foreach (var slot in workspace.Inputs) Fill(slot, rows, features, count, model, violations);
        // A row's missing value is told once, with its reason.
        violations.ThrowIfAny("INPUT_INVALID");
        workspace.Check(violations);
        return features;
    }

    public static int IndexOf(Table? table, string name)
    {
        for (var i = 0; i < table?.Columns.Count; i++)
        {
            if (table.Columns[i].Name == name) return i;
        }

        return -1;
    }

    /// <exception cref="InvalidRequestException">ROWS_INVALID: the columns that break a rule, the first twenty of them.</exception>
    public static int CountRows(Table rows)
    {
        var violations = new Violations();
        var count = rows.Columns.Count == 0 ? 0 : Columns.CountOf(rows.Columns[0]);
        violations.AddIf(count == 0, "rows", "must have at least one row of at least one column");
        violations.AddIf(rows.Columns.Count > MaxColumns, "rows", $"must have at most {MaxColumns} columns, not {rows.Columns.Count}");
        violations.AddIf((long)count * rows.Columns.Count > MaxCells, "rows", $"must have at most {MaxCells} values, columns times rows");
        violations.ThrowIfAny("ROWS_INVALID");
        // What is said back travels in headers, so a caller's thousand mistakes must not all be.
        var reported = 0;
        for (var i = 0; i < rows.Columns.Count; i++)
        {
            if (FindBroken(rows, i, count) is not { } broken) continue;
            if (reported++ == MaxReported)
            {
                violations.Add("rows", "has more columns that break a rule");
                break;
            }

            violations.Add(broken.Field, broken.Rule);
        }

        violations.ThrowIfAny("ROWS_INVALID");
        return count;
    }

    private static FieldViolation? FindBroken(Table rows, int i, int count)
    {
        var column = rows.Columns[i];
        var name = Workspace.Shown(column.Name);
        var n = Columns.CountOf(column);
        if (name.Length == 0) return new FieldViolation("rows", "must not have a column without a name");
        if (IndexOf(rows, column.Name) != i) return new FieldViolation(name, "is given twice");
        if (n != count) return new FieldViolation(name, $"has {n} rows where {Workspace.Shown(rows.Columns[0].Name)} has {count}");
        return column.Missing.Length > 0 && column.Missing.Length < (count + 7) / 8
            ? new FieldViolation(name, $"has a bitmap of missing values for fewer than {count} rows")
            : null;
    }

    private static bool HasAll(Workspace workspace, Table rows)
    {
        foreach (var slot in workspace.Inputs)
        {
            if (IndexOf(rows, slot.Layout.Name) < 0) return false;
        }

        return true;
    }

    private static void Fill(
        InputSlot slot, Table rows, GetOnlineFeaturesResponse? features, int count, LoadedModel model, Violations violations)
    {
        var layout = slot.Layout;
        var inRequest = IndexOf(rows, layout.Name);
        var inFeatures = inRequest >= 0 ? -1 : IndexOf(features?.Features, layout.Name);
        if (inRequest < 0 && inFeatures < 0)
        {
            violations.Add(layout.Name, model.FeatureService.Length == 0
                ? "is missing, and the model has no feature service to ask"
                : $"is neither in the request nor a feature of '{model.FeatureService}'");
            return;
        }

        if (!layout.IsScalarPerRow || (!layout.IsBatched && count > 1))
        {
            violations.Add(layout.Name, $"takes {layout.ShapeText}, which rows of single values cannot give; use infer");
            return;
        }

        slot.TryBegin(violations);
        Span<long> shape = stackalloc long[layout.Shape.Length];
        shape.Fill(1);
        if (layout.IsBatched) shape[0] = count;
        if (!slot.TryShape(layout.Datatype.Name, shape, violations)) return;
        var column = inFeatures >= 0 ? features?.Features.Columns[inFeatures] : rows.Columns[inRequest];
        var statuses = inFeatures >= 0 ? features?.Statuses[inFeatures].Statuses : null;
        for (var row = 0; row < count; row++)
        {
            var broken = statuses is not null && statuses[row] is not FeatureStatus.Present
                ? slot.TryAppendMissing() ? null : $"must not be missing; the online store says {FeatureLookup.WordFor(statuses[row])}"
                : Columns.TryAppend(slot, column!, row); // One of the two has it, or the method had ended above.
            if (broken is null) continue;
            violations.Add(layout.Name, $"{broken} (row {row})");
            return;
        }
    }
}
