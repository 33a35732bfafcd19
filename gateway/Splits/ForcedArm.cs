using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Grpc.Core;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;
using MlOps.Gateway.Routes;

namespace MlOps.Gateway.Splits;

/// <summary>
/// Lets a tester have a certain arm of a model by a token such as <c>challenger;exp=1767225600;sig=…</c>, good for that model
/// and arm until it expires: the signature is the HMAC-SHA256, as base64url, of <c>flight-delay;challenger;exp=1767225600</c>.
/// </summary>
internal sealed class ForcedArm(IOptions<GatewayOptions> options, TimeProvider time)
{
    private const int MaxLength = 256;

    private static readonly Refusal Off = Refused("FORCED_ARM_OFF", "Arms cannot be asked for here: Gateway:ForceArmKey is not set.");
    private static readonly Refusal Malformed = Refused(
        "FORCED_ARM_INVALID", $"{SplitHeaders.ForceArm} must be '<arm>;exp=<unix seconds>;sig=<base64url>', once.");
    private static readonly Refusal Unsigned = Refused("FORCED_ARM_INVALID", "The signature is not one of this gateway's for this model and arm.");
    private static readonly Refusal Expired = Refused("FORCED_ARM_EXPIRED", "The token for the arm has expired.");

    private readonly byte[] _key = Encoding.UTF8.GetBytes(options.Value.ForceArmKey);

    /// <summary>What is to be signed.</summary>
    public static string Text(string model, string arm, long expires) =>
        string.Create(CultureInfo.InvariantCulture, $"{model};{arm};exp={expires}");

    /// <summary>The arm the token is good for, or why it is good for none.</summary>
    public Refusal? Find(in StringValues header, Split split, out SplitArm? arm)
    {
        arm = null;
        if (_key.Length == 0) return Off;
        // arm ; exp=… ; sig=…
        if (header is not [{ Length: <= MaxLength } token] || token.Split(';') is not [var name, var exp, var sig]
            || !exp.StartsWith("exp=", StringComparison.Ordinal) || !sig.StartsWith("sig=", StringComparison.Ordinal)
            || !long.TryParse(exp.AsSpan(4), NumberStyles.None, CultureInfo.InvariantCulture, out var expires))
            return Malformed;

        if (!IsSigned(Text(split.Policy.Model, name, expires), sig.AsSpan(4))) return Unsigned;
        if (time.GetUtcNow().ToUnixTimeSeconds() >= expires) return Expired;
        arm = split.Find(name);
        return arm is null
            ? Refused("FORCED_ARM_UNKNOWN", $"The traffic policy of {split.Policy.Model} has no arm {name}.")
            : null;
    }

    private bool IsSigned(string text, ReadOnlySpan<char> signature)
    {
        // Padding is no part of it: a token has one spelling.
        if (signature.Contains('=')) return false;
        Span<byte> expected = stackalloc byte[HMACSHA256.HashSizeInBytes];
        Span<byte> given = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(_key, Encoding.UTF8.GetBytes(text), expected);
        return Base64Url.IsValid(signature, out var length) && length == given.Length
            && Base64Url.TryDecodeFromChars(signature, given, out _)
            && CryptographicOperations.FixedTimeEquals(expected, given);
    }

    private static Refusal Refused(string code, string message) =>
        new(StatusCode.PermissionDenied, StatusCodes.Status403Forbidden, code, message);
}
