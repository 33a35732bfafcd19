using System.Globalization;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.BatchJobs;

/// <summary>Where the next page begins: behind the last entry of this one, so that pages do not shift.</summary>
internal static class PageToken
{
    /// <exception cref="InvalidRequestException">LIST_INVALID.</exception>
    public static int Size(int wanted) => wanted switch
    {
        0 => 100,
        >= 1 and <= 1_000 => wanted,
        _ => throw new InvalidRequestException("LIST_INVALID", [new FieldViolation("page_size", "must be 0 (100) or 1 to 1,000")]),
    };

    public static string Of(long micros, string id) => string.Create(CultureInfo.InvariantCulture, $"{micros}.{id}");

    /// <exception cref="InvalidRequestException">LIST_INVALID.</exception>
    public static (DateTimeOffset? Time, Guid Id) ReadTimed(string token)
    {
        if (token.Length == 0) return (null, Guid.Empty);
        var parts = token.Split('.');
        if (parts.Length != 2 || !long.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var micros)
            || micros > 253_402_300_799_999_999 || !Guid.TryParse(parts[1], out var id))
        {
            throw Wrong();
        }

        return (DateTimeOffset.UnixEpoch.AddTicks(micros * TimeSpan.TicksPerMicrosecond), id);
    }

    /// <exception cref="InvalidRequestException">LIST_INVALID.</exception>
    public static long ReadNumber(string token) =>
        token.Length == 0 ? 0
        : long.TryParse(token, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number
        : throw Wrong();

    private static InvalidRequestException Wrong() =>
        new("LIST_INVALID", [new FieldViolation("page_token", "must be one that a page before answered")]);
}
