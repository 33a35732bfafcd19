using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Inference.V1;
using MlOps.Contracts.Tables.V1;

namespace MlOps.Inference.Predictions;

/// <summary>Says of each input whether the request or the online store gave it, and how fresh it is.</summary>
internal static class FeatureOrigins
{
    public static FeatureOrigin Of(InputSlot slot, Table rows, GetOnlineFeaturesResponse? features)
    {
        var name = slot.Layout.Name;
        if (features is null || PredictRows.IndexOf(rows, name) >= 0)
        {
            var given = new FeatureOrigin { Name = name, Source = "request" };
            var column = rows.Columns[PredictRows.IndexOf(rows, name)];
            for (var row = 0; row < slot.Rows; row++)
            {
                given.Statuses.Add(Columns.IsMissing(column, row) ? "NULL_VALUE" : "PRESENT");
                given.EventTimeMicros.Add(0);
            }

            return given;
        }

        var status = features.Statuses[PredictRows.IndexOf(features.Features, name)];
        var origin = new FeatureOrigin { Name = name, Source = "online" };
        foreach (var one in status.Statuses) origin.Statuses.Add(FeatureLookup.WordFor(one));
        origin.EventTimeMicros.Add(status.EventTimeMicros);
        return origin;
    }
}
