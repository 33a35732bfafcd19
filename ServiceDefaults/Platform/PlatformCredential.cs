using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;

namespace MlOps.ServiceDefaults;

/// <summary>
/// What the platform's services know each other by: one secret, from <c>MLOPS_INTERNAL_CREDENTIAL</c>, that travels with every
/// call between them. Without one they take calls from anybody, and so listen on loopback only.
/// </summary>
public sealed class PlatformCredential
{
    /// <summary>The header, or key of the gRPC metadata, it travels in.</summary>
    public const string Header = "x-mlops-internal";

    /// <summary>Where it is configured.</summary>
    public const string Setting = "MLOPS_INTERNAL_CREDENTIAL";

    private const int MinLength = 32;
    private const int MaxLength = 256;
    private readonly byte[] _bytes;

    /// <exception cref="InvalidOperationException">It is shorter than 32 or longer than 256 printable ASCII characters.</exception>
    public PlatformCredential(IConfiguration configuration)
    {
        Value = configuration[Setting] ?? "";
        if (Value.Length > 0 && (Value.Length is < MinLength or > MaxLength || Value.Any(c => c is <= ' ' or > '~')))
        {
            throw new InvalidOperationException(
                $"{Setting} must be {MinLength} to {MaxLength} printable ASCII characters without spaces, all of them random.");
        }

        _bytes = Encoding.ASCII.GetBytes(Value);
    }

    /// <summary>False: calls are taken from anybody.</summary>
    public bool IsConfigured => _bytes.Length > 0;

    /// <summary>The secret; empty when none is configured.</summary>
    internal string Value { get; }

    /// <summary>Whether a request comes from within; takes as long whatever the header holds. Allocates nothing.</summary>
    internal bool IsIn(IHeaderDictionary headers)
    {
        if (headers[Header] is not { Count: 1 } one || one[0] is not { } text || text.Length > MaxLength) return false;
        Span<byte> bytes = stackalloc byte[MaxLength * 3];
        return CryptographicOperations.FixedTimeEquals(bytes[..Encoding.UTF8.GetBytes(text, bytes)], _bytes);
    }

    /// <summary>Sets the header on a request to another service, whatever it was before.</summary>
    public void AddTo(HttpRequestMessage request)
    {
        request.Headers.Remove(Header);
        if (IsConfigured) request.Headers.TryAddWithoutValidation(Header, Value);
    }
}
