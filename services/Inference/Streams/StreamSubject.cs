using System.Globalization;
using System.Text.Json;
using MlOps.Contracts.Gateway.V1;

namespace MlOps.Inference.Streams;

/// <summary>
/// Finds the subject in a message's body where a traffic policy says so, as the same text that the gateway reads from the
/// body of a request: text as it is, whole numbers in decimal, others in the shortest form, <c>true</c> and <c>false</c>.
/// </summary>
internal static class StreamSubject
{
    // As the gateway has them: longest subject in UTF-16 units, and where whole numbers end to fit a long.
    private const int MaxLength = 512;
    private const double Whole = 9_223_372_036_854_775_808;

    /// <summary>Empty: the policy does not say where, or nothing that counts stands there.</summary>
    public static string Find(TrafficPolicy policy, ReadOnlyMemory<byte> body)
    {
        if (policy.SubjectInput.Length == 0 && policy.SubjectJson.Length == 0) return "";
        try
        {
            using var json = JsonDocument.Parse(body);
            return Locate(json.RootElement, policy) is { } found ? TextOf(found) : "";
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Reading the rows says what is wrong with it.
            return "";
        }
    }

    private static JsonElement? Locate(JsonElement root, TrafficPolicy policy)
    {
        string[] path = policy.SubjectInput.Length > 0
            ? ["rows", "0", policy.SubjectInput]
            : [.. policy.SubjectJson[1..].Split('/').Select(Unescape)];
        var at = root;
        foreach (var part in path)
        {
            switch (at.ValueKind)
            {
                case JsonValueKind.Object when at.TryGetProperty(part, out var member):
                    at = member;
                    break;
                case JsonValueKind.Array when int.TryParse(part, NumberStyles.None, null, out var place) && place < at.GetArrayLength():
                    at = at[place];
                    break;
                default:
                    return null;
            }
        }

        return at;
    }

    private static string TextOf(JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.String: return value.GetString() is { Length: <= MaxLength } text ? text : "";
            case JsonValueKind.True: return "true";
            case JsonValueKind.False: return "false";
            case JsonValueKind.Number:
                if (value.TryGetInt64(out var signed)) return signed.ToString(CultureInfo.InvariantCulture);
                if (value.TryGetUInt64(out var unsigned)) return unsigned.ToString(CultureInfo.InvariantCulture);
                if (!value.TryGetDouble(out var number) || !double.IsFinite(number)) return "";
                return double.IsInteger(number) && Math.Abs(number) < Whole
                    ? ((long)number).ToString(CultureInfo.InvariantCulture)
                    : number.ToString(CultureInfo.InvariantCulture);
            default: return "";
        }
    }

    // RFC 6901.
    private static string Unescape(string part) =>
        part.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);
}
