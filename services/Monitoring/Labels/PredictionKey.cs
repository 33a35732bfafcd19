using System.Globalization;

namespace MlOps.Monitoring.Labels;

/// <summary>Names one prediction: the request that was answered and the row in it.</summary>
internal readonly record struct PredictionKey(Guid Id, int Row) : IComparable<PredictionKey>
{
    /// <summary>Reads <c>0198c5f0a1b27c3d8e4f5a6b7c8d9e0f.3</c>; without the dot, row 0.</summary>
    public static bool TryParse(string text, out PredictionKey key)
    {
        key = default;
        var dot = text.IndexOf('.', StringComparison.Ordinal);
        var id = dot < 0 ? text : text[..dot];
        var row = 0;
        var isRow = dot < 0 || int.TryParse(text.AsSpan(dot + 1), NumberStyles.None, CultureInfo.InvariantCulture, out row);
        if (!isRow || !Guid.TryParseExact(id, "N", out var guid)) return false;
        key = new PredictionKey(guid, row);
        return true;
    }

    public int CompareTo(PredictionKey other) =>
        Id.CompareTo(other.Id) is not 0 and var order ? order : Row.CompareTo(other.Row);
}
