using System.Buffers.Text;
using System.Security.Cryptography;

namespace MlOps.Gateway.Access.Keys;

/// <summary>
/// What a key looks like: <c>mlops_</c>, 16 characters that name it and are public, <c>_</c>, and 43 that are its secret:
/// 32 random bytes in base64url. The fixed start lets scanners of repositories find keys that leaked.
/// </summary>
internal static class KeyText
{
    public const string Start = "mlops_";
    public const int SecretLength = 43;

    private const int IdLength = 16;
    private const int SecretBytes = 32;
    private const int Length = 6 + IdLength + 1 + SecretLength;
    private const string IdAlphabet = "abcdefghijklmnopqrstuvwxyz234567";

    public static string NewId() => RandomNumberGenerator.GetString(IdAlphabet, IdLength);

    public static string NewSecret() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(SecretBytes));

    public static string Of(string id, string secret) => $"{Start}{id}_{secret}";

    /// <summary>False: no key of ours. Allocates nothing.</summary>
    public static bool TryRead(ReadOnlySpan<char> text, out ReadOnlySpan<char> id, out ReadOnlySpan<char> secret)
    {
        id = secret = default;
        if (text.Length != Length || !text.StartsWith(Start, StringComparison.Ordinal) || text[Start.Length + IdLength] != '_')
        {
            return false;
        }

        id = text.Slice(Start.Length, IdLength);
        secret = text[(Start.Length + IdLength + 1)..];
        return true;
    }
}
