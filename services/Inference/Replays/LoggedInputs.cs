using MlOps.Contracts.Monitoring.V1;
using MlOps.Contracts.Tables.V1;
using MlOps.Inference.Predictions;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Replays;

/// <summary>Puts the inputs of a logged request back into a model's inputs.</summary>
internal static class LoggedInputs
{
    /// <returns>Null when the request is whole again, else why it cannot be.</returns>
    public static string? TryFill(Workspace workspace, Table? logged, int rows)
    {
        var violations = new Violations();
        foreach (var slot in workspace.Inputs)
        {
            if (TryFill(slot, logged, rows, violations) is { } reason) return $"input '{slot.Layout.Name}' {reason}";
        }

        try
        {
            workspace.Check(violations);
            return null;
        }
        catch (InvalidRequestException e)
        {
            return e.Message;
        }
    }

    private static string? TryFill(InputSlot slot, Table? logged, int rows, Violations violations)
    {
        var columns = ColumnInputs.Find(logged, slot.Layout.Name);
        if (columns.Count == 0)
        {
            return slot.Layout switch
            {
                { IsBatched: false } => "is not per row and therefore not in the log",
                { IsPersonal: true } => "is personal and therefore not in the log",
                _ => "is not in the log",
            };
        }

        foreach (var column in columns)
        {
            if (IsMasked(column)) return $"is masked in the log, in column '{column.Name}'";
        }

        return ColumnInputs.TryFill(slot, columns, rows, violations);
    }

    // The empty text is not masked.
    private static bool IsMasked(Column column) =>
        column.ValuesCase == Column.ValuesOneofCase.Texts && column.Texts.Values.Any(text => text.Length > 0)
        && column.Texts.Values.All(text => text.Length == 0 || text.StartsWith(PredictionRecord.MaskedPrefix, StringComparison.Ordinal));
}
