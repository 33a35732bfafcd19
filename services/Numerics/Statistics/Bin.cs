namespace MlOps.Numerics.Statistics;

/// <summary>
/// One bar of a chart of two samples: its share of either (0 to 1, before any filling of empty bins). A numeric
/// interval is [Lower, Upper), the last one closed; a bin of one value has Lower = Upper; a category has its name and
/// NaN edges.
/// </summary>
public readonly record struct Bin(
    string Label, double Lower, double Upper, double ReferenceShare, double CurrentShare);
