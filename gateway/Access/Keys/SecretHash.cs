using System.Security.Cryptography;
using System.Text;

namespace MlOps.Gateway.Access.Keys;

/// <summary>
/// All that is kept of a secret: SHA-256 over a salt of its own and the secret's characters. A slow hash such as Argon2
/// defends secrets that people choose; this one is 256 random bits, which nobody can try out whatever one try costs. The
/// salt makes equal secrets, were there any, look different.
/// </summary>
internal sealed record SecretHash(byte[] Salt, byte[] Hash)
{
    private const int SaltBytes = 16;

    public static SecretHash Of(string secret)
    {
        var salt = RandomNumberGenerator.GetBytes(SaltBytes);
        var hash = new byte[SHA256.HashSizeInBytes];
        Compute(salt, secret, hash);
        return new SecretHash(salt, hash);
    }

    /// <summary>Takes as long for a wrong secret as for the right one. Allocates nothing.</summary>
    public bool Matches(ReadOnlySpan<char> secret)
    {
        Span<byte> computed = stackalloc byte[SHA256.HashSizeInBytes];
        return Compute(Salt, secret, computed) && CryptographicOperations.FixedTimeEquals(computed, Hash);
    }

    private static bool Compute(byte[] salt, ReadOnlySpan<char> secret, Span<byte> hash)
    {
        Span<byte> input = stackalloc byte[SaltBytes + KeyText.SecretLength];
        salt.CopyTo(input);
        return Encoding.UTF8.TryGetBytes(secret, input[SaltBytes..], out var written)
            && written == KeyText.SecretLength
            && SHA256.HashData(input, hash) == SHA256.HashSizeInBytes;
    }
}
