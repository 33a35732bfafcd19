using System.Buffers.Text;
using System.Globalization;
using System.Text;

namespace MlOps.Monitoring.PredictionLog;

/// <summary>The last record of a page, by what the page is ordered by; as a token, base64url of "key.id".</summary>
/// <param name="Key">Time in microseconds, or the shuffled order's hash.</param>
/// <param name="Id">The record.</param>
internal sealed record PredictionPosition(long Key, Guid Id)
{
    public static PredictionPosition? TryParse(string token)
    {
        if (token.Length is 0 or > 100 || !Base64Url.IsValid(token)) return null;
        var parts = Encoding.UTF8.GetString(Base64Url.DecodeFromChars(token)).Split('.');
        return parts.Length == 2 && Guid.TryParseExact(parts[1], "N", out var id)
            && long.TryParse(parts[0], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var key)
            ? new PredictionPosition(key, id)
            : null;
    }

    public override string ToString() =>
        Base64Url.EncodeToString(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{Key}.{Id:N}")));
}
