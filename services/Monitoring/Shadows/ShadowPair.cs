namespace MlOps.Monitoring.Shadows;

/// <summary>The predictions two versions made of one row of one request, finite; no label is NaN. Latencies are of the whole request.</summary>
internal readonly record struct ShadowPair(double Live, double Shadow, double Label, long LiveMicros, long ShadowMicros, bool IsFirstRow, string Segment)
{
    public bool IsLabelled => !double.IsNaN(Label);
}
