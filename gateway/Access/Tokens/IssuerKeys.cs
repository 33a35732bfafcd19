using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Protocols;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;
using Microsoft.IdentityModel.Tokens;

namespace MlOps.Gateway.Access.Tokens;

/// <summary>
/// The keys the issuer signs with, from its discovery document. They are fetched again when they are old and when a token
/// names one that is not among them, one fetch at a time and none too often. While the issuer is away the last ones stay.
/// </summary>
internal sealed partial class IssuerKeys(
    IHttpClientFactory clients, IOptions<AccessOptions> options, TimeProvider time, ILogger<IssuerKeys> logger) : IDisposable
{
    public const string Client = "token issuer";

    private readonly OidcOptions _oidc = options.Value.Oidc;
    private readonly SemaphoreSlim _turn = new(1);
    private volatile Fetched? _current;
    private long _triedAt;

    /// <summary>The key of that name; null: the issuer has none.</summary>
    /// <exception cref="IssuerAwayException">No keys were ever had.</exception>
    public async ValueTask<SecurityKey?> FindAsync(string keyId, CancellationToken ct)
    {
        var known = _current;
        if (known is not null && time.GetElapsedTime(known.At) < _oidc.KeysMaxAge && known.Find(keyId) is { } key) return key;

        await FetchAsync(known, ct);
        return (_current ?? throw new IssuerAwayException()).Find(keyId);
    }

    public void Dispose() => _turn.Dispose();

    private async Task FetchAsync(Fetched? seen, CancellationToken ct)
    {
        await _turn.WaitAsync(ct);
        try
        {
            if (_current != seen || (_triedAt != 0 && time.GetElapsedTime(_triedAt) < _oidc.KeysMinAge)) return;
            _triedAt = time.GetTimestamp();
            using var http = clients.CreateClient(Client);
            var documents = new HttpDocumentRetriever(http) { RequireHttps = _oidc.Issuer.StartsWith("https:", StringComparison.OrdinalIgnoreCase) };
            var configuration = await OpenIdConnectConfigurationRetriever.GetAsync(
                $"{_oidc.Issuer.TrimEnd('/')}/.well-known/openid-configuration", documents, CancellationToken.None);
            if (configuration.Issuer != _oidc.Issuer)
                throw new InvalidOperationException($"it calls itself '{configuration.Issuer}'");
            _current = new Fetched(time.GetTimestamp(), [.. configuration.SigningKeys]);
            LogFetched(_oidc.Issuer, configuration.SigningKeys.Count);
        }
        catch (Exception e)
        {
            // Whatever it is: the keys there are go on being good, and new ones are asked for again.
            LogNotFetched(_oidc.Issuer, e.GetBaseException().Message);
        }
        finally
        {
            _turn.Release();
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "The issuer {Issuer} signs with {Count} keys")]
    private partial void LogFetched(string issuer, int count);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The keys of the issuer {Issuer} cannot be fetched: {Reason}")]
    private partial void LogNotFetched(string issuer, string reason);

    private sealed record Fetched(long At, IReadOnlyList<SecurityKey> Keys)
    {
        // A token without the name of its key is good where there is but one it can mean.
        public SecurityKey? Find(string keyId) => keyId.Length == 0
            ? Keys.Count == 1 ? Keys[0] : null
            : Keys.FirstOrDefault(k => k.KeyId == keyId);
    }
}

/// <summary>Tokens cannot be checked: the issuer was never reached.</summary>
internal sealed class IssuerAwayException() : Exception("The issuer of the tokens was never reached.");
