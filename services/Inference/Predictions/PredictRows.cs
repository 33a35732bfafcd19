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

    private static int CountRows(Table rows)
    {
        var violations = new Violations();
        var count = rows.Columns.Count == 0 ? 0 : Columns.CountOf(rows.Columns[0]);
        violations.AddIf(count == 0, "rows", "must have at least one row of at least one column");
        for (var i = 0; i < rows.Columns.Count; i++)
        {
            var column = rows.Columns[i];
            var n = Columns.CountOf(column);
            violations.AddIf(column.Name.Length == 0, "rows", "must not have a column without a name");
            violations.AddIf(IndexOf(rows, column.Name) != i, column.Name, "is given twice");
            violations.AddIf(n != count, column.Name, $"has {n} rows where {rows.Columns[0].Name} has {count}");
            violations.AddIf(
                column.Missing.Length > 0 && column.Missing.Length < (count + 7) / 8, column.Name,
                $"has a bitmap of missing values for fewer than {count} rows");
        }

        violations.ThrowIfAny("ROWS_INVALID");
        return count;
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
