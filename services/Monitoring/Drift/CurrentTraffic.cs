namespace MlOps.Monitoring.Drift;

/// <summary>What the log holds of a window: the columns asked for, in the order asked, and the predictions.</summary>
internal sealed record CurrentTraffic(long Rows, CurrentColumn[] Columns, CurrentColumn Predictions);
