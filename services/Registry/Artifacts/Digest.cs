using System.Text.RegularExpressions;
using MlOps.ServiceDefaults;

namespace MlOps.Registry.Artifacts;

/// <summary>Names content by what it is: "sha256:" and 64 lower-case hex digits (FIPS 180-4).</summary>
internal static partial class Digest
{
    private const string Prefix = "sha256:";

    public static string Of(ReadOnlySpan<byte> hash) => Prefix + Convert.ToHexStringLower(hash);

    public static bool IsValid(string digest) => Pattern().IsMatch(digest);

    /// <summary>The hex digits alone.</summary>
    public static string Hex(string digest) => digest[Prefix.Length..];

    /// <exception cref="InvalidRequestException">DIGEST_INVALID</exception>
    public static void Check(string field, string digest)
    {
        if (!IsValid(digest))
        {
            throw new InvalidRequestException(
                "DIGEST_INVALID", [new FieldViolation(field, $"'{digest}' must be 'sha256:' and 64 lower-case hex digits")]);
        }
    }

    [GeneratedRegex(@"\Asha256:[0-9a-f]{64}\z")]
    private static partial Regex Pattern();
}
