using Grpc.Core;
using MlOps.Contracts.Tables.V1;
using MlOps.Inference.Models;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Predictions;

/// <summary>
/// Fills a model's inputs from rows of columns by name: those in the request win, the rest comes from the online store
/// in one call.
/// </summary>
internal sealed class PredictRows(FeatureLookup lookup, Fallbacks fallbacks, TimeProvider time)
{
    /// <summary>Most columns of a request, by either protocol.</summary>
    public const int MaxColumns = 1_000;

    /// <summary>Most rows times columns: a column stands in every row, given there or not.</summary>
    public const int MaxCells = 1_000_000;

    private const int MaxReported = 20;

    // A hundred years: more is no age, and the microseconds of it are a number.
    private const long MaxAgeSeconds = 100L * 366 * 24 * 3600;

    /// <param name="workspace">Takes the inputs; where the model's settings say so, another version that stands in takes them.</param>
    /// <param name="rows">Keys and features of the request.</param>
    /// <param name="maxAgeSeconds">Age beyond which a looked-up value counts as stale; 0: the model's settings decide.</param>
    /// <param name="ct">The caller gave up.</param>
    /// <returns>What was looked up; null when the request had all.</returns>
    /// <exception cref="InvalidRequestException">ROWS_INVALID, INPUT_INVALID: every column that breaks a rule, and the rule.</exception>
    /// <exception cref="ConflictException">FALLBACK_UNFIT: the version that is to answer instead cannot.</exception>
    public async Task<LookedUp?> FillAsync(Workspace workspace, Table rows, long maxAgeSeconds, CancellationToken ct)
    {
        var count = CountRows(rows);
        if (maxAgeSeconds is < 0 or > MaxAgeSeconds)
        {
            throw new InvalidRequestException("ROWS_INVALID", [new FieldViolation(
                "max_age_seconds", $"must be 1 to {MaxAgeSeconds}, or 0 for what the model's settings say")]);
        }

        var model = workspace.Model;
        var lookedUp = HasAll(workspace, rows) || model.FeatureService.Length == 0
            ? null
            : await LookUpAsync(model, rows, count, maxAgeSeconds, ct);
        var violations = new Violations();
        if (Fill(workspace, rows, lookedUp, count, mayFallBack: true, violations) && !violations.Any)
        {
            if (await fallbacks.TryStandInAsync(
                workspace, model.Settings.Features.Version, other => FillOther(workspace, other, rows, lookedUp, count), ct)) return lookedUp;
            foreach (var slot in workspace.Inputs) slot.Clear();
            Fill(workspace, rows, lookedUp, count, mayFallBack: false, violations);
        }

        // A row's missing value is told once, with its reason.
        violations.ThrowIfAny("INPUT_INVALID");
        workspace.Check(violations);
        return lookedUp;
    }

    private async Task<LookedUp> LookUpAsync(LoadedModel model, Table rows, int count, long maxAgeSeconds, CancellationToken ct)
    {
        var now = (time.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;
        var maxAge = maxAgeSeconds == 0 ? long.MaxValue : maxAgeSeconds * 1_000_000;
        try
        {
            return new LookedUp(await lookup.FetchAsync(model.FeatureService, rows, count, ct), now, maxAge);
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.Unavailable && model.Settings.Features.IsMissingWithoutStore)
        {
            return new LookedUp(null, now, maxAge);
        }
    }

    private static void FillOther(Workspace workspace, Workspace other, Table rows, LookedUp? lookedUp, int count)
    {
        foreach (var slot in other.Inputs)
        {
            var name = slot.Layout.Name;
            if (IndexOf(rows, name) < 0 && lookedUp?.Has(name) != true)
            {
                throw Fallbacks.Unfit(workspace.Model, other.Model, $"needs '{name}', which is neither in the request nor was looked up");
            }
        }

        var violations = new Violations();
        Fill(other, rows, lookedUp, count, mayFallBack: false, violations);
        violations.ThrowIfAny("INPUT_INVALID");
        other.Check(violations);
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

    // True: another version is to do without some of it.
    private static bool Fill(
        Workspace workspace, Table rows, LookedUp? lookedUp, int count, bool mayFallBack, Violations violations)
    {
        var model = workspace.Model;
        var fill = lookedUp is null ? null : new FeatureFill(workspace, lookedUp, mayFallBack);
        for (var input = 0; input < workspace.Inputs.Length; input++)
        {
            var slot = workspace.Inputs[input];
            var name = slot.Layout.Name;
            var inRequest = IndexOf(rows, name);
            if (inRequest < 0 && lookedUp?.Has(name) != true)
            {
                violations.Add(name, model.FeatureService.Length == 0
                    ? "is missing, and the model has no feature service to ask"
                    : $"is neither in the request nor a feature of '{model.FeatureService}'");
                continue;
            }

            if (!TryBegin(slot, count, violations)) continue;
            if (inRequest >= 0) Fill(slot, rows.Columns[inRequest], count, violations);
            else fill?.Fill(input, lookedUp?.IndexOf(name) ?? -1, count, violations);
        }

        return fill?.WantsFallback == true;
    }

    private static bool TryBegin(InputSlot slot, int count, Violations violations)
    {
        var layout = slot.Layout;
        if (!layout.IsScalarPerRow || (!layout.IsBatched && count > 1))
        {
            violations.Add(layout.Name, $"takes {layout.ShapeText}, which rows of single values cannot give; use infer");
            return false;
        }

        slot.TryBegin(violations);
        Span<long> shape = stackalloc long[layout.Shape.Length];
        shape.Fill(1);
        if (layout.IsBatched) shape[0] = count;
        return slot.TryShape(layout.Datatype.Name, shape, violations);
    }

    private static void Fill(InputSlot slot, Column column, int count, Violations violations)
    {
        for (var row = 0; row < count; row++)
        {
            if (Columns.TryAppend(slot, column, row) is not { } broken) continue;
            violations.Add(slot.Layout.Name, $"{broken} (row {row})");
            return;
        }
    }
}
