using System.Globalization;

namespace MlOps.FeatureStore.Tables;

/// <summary>Several join keys as one text, with lengths, so that no two different keys look alike: <c>3:DTW2:AA</c>.</summary>
internal static class EntityKey
{
    public static string Encode(ReadOnlySpan<string> keys)
    {
        if (keys.Length == 1)
            return string.Create(CultureInfo.InvariantCulture, $"{keys[0].Length}:{keys[0]}");
        var text = new System.Text.StringBuilder();
        foreach (var key in keys)
            text.Append(CultureInfo.InvariantCulture, $"{key.Length}:{key}");
        return text.ToString();
    }
}
