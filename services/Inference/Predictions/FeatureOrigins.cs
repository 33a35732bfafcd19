using MlOps.Contracts.Inference.V1;
using MlOps.Contracts.Tables.V1;

namespace MlOps.Inference.Predictions;

/// <summary>Says of each input whether the request or the online store gave it, how fresh it is, and what stands in its place.</summary>
internal static class FeatureOrigins
{
    private const string Value = "value";
    private const string Missing = "missing";

    /// <param name="workspace">The filled inputs of the version that answers.</param>
    /// <param name="input">Place of the input.</param>
    /// <param name="rows">What the request gave.</param>
    /// <param name="lookedUp">What the store gave; null: it was not asked.</param>
    public static FeatureOrigin Of(Workspace workspace, int input, Table rows, LookedUp? lookedUp)
    {
        var slot = workspace.Inputs[input];
        var given = PredictRows.IndexOf(rows, slot.Layout.Name);
        return given >= 0 || lookedUp is null
            ? OfRequest(slot, rows.Columns[given])
            : OfStore(slot, workspace.Model.FeatureRules[input], lookedUp);
    }

    private static FeatureOrigin OfRequest(InputSlot slot, Column column)
    {
        var origin = new FeatureOrigin { Name = slot.Layout.Name, Source = "request" };
        for (var row = 0; row < slot.Rows; row++)
        {
            var isMissing = Columns.IsMissing(column, row);
            origin.Statuses.Add(isMissing ? "NULL_VALUE" : "PRESENT");
            origin.EventTimeMicros.Add(0);
            origin.AgeMicros.Add(-1);
            origin.Fills.Add(isMissing ? Missing : Value);
        }

        return origin;
    }

    private static FeatureOrigin OfStore(InputSlot slot, FeatureRule rule, LookedUp lookedUp)
    {
        var origin = new FeatureOrigin { Name = slot.Layout.Name, Source = "online" };
        var feature = lookedUp.IndexOf(slot.Layout.Name);
        for (var row = 0; row < slot.Rows; row++)
        {
            var at = lookedUp.EventTimeOf(feature, row);
            var condition = rule.ConditionOf(lookedUp.StatusOf(feature, row), at, lookedUp.NowMicros, lookedUp.MaxAgeMicros);
            origin.Statuses.Add(lookedUp.WordFor(condition, feature, row));
            origin.EventTimeMicros.Add(at);
            origin.AgeMicros.Add(at == 0 ? -1 : lookedUp.NowMicros - at);
            origin.Fills.Add(condition == FeatureCondition.Present ? Value : rule.ActionOf(condition) switch
            {
                FeatureAction.Default => "default",
                FeatureAction.Impute => "imputed",
                _ => Missing,
            });
        }

        return origin;
    }
}
