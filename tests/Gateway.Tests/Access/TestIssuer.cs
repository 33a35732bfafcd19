using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using MlOps.TestServers;

namespace MlOps.Gateway.Tests.Access;

/// <summary>
/// A token issuer on loopback with a discovery document and keys that can be changed. It signs with nothing but the
/// framework's cryptography, so that tokens of every wrong kind can be made.
/// </summary>
internal sealed class TestIssuer : IAsyncDisposable
{
    private readonly Dictionary<string, AsymmetricAlgorithm> _keys = [];
    private WebApplication? _app;

    public string Address { get; } = $"http://127.0.0.1:{FreePorts.Take()}";

    /// <summary>What its discovery document calls it.</summary>
    public string? Name { get; set; }

    public int Fetches { get; private set; }

    public async Task<TestIssuer> StartAsync()
    {
        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls(Address);
        _app = builder.Build();
        _app.MapGet("/.well-known/openid-configuration", () => Results.Json(new { issuer = Name ?? Address, jwks_uri = $"{Address}/keys" }));
        _app.MapGet("/keys", () =>
        {
            Fetches++;
            return Results.Json(new { keys = _keys.Select(k => Jwk(k.Key, k.Value)) });
        });
        await _app.StartAsync();
        return this;
    }

    public async Task StopAsync()
    {
        if (_app is not { } app) return;
        _app = null;
        await app.StopAsync();
        await app.DisposeAsync();
    }

    public AsymmetricAlgorithm AddRsa(string id) => _keys[id] = RSA.Create(2048);

    public AsymmetricAlgorithm AddEc(string id) => _keys[id] = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    public void Remove(string id) => _keys.Remove(id);

    public RSA Rsa(string id) => (RSA)_keys[id];

    public JsonObject Claims(DateTimeOffset now, params string[] roles) => new()
    {
        ["iss"] = Address,
        ["aud"] = "mlops",
        ["sub"] = "ann",
        ["name"] = "Ann",
        ["iat"] = now.ToUnixTimeSeconds(),
        ["nbf"] = now.ToUnixTimeSeconds(),
        ["exp"] = now.AddMinutes(10).ToUnixTimeSeconds(),
        ["roles"] = new JsonArray([.. roles.Select(r => (JsonNode)r)]),
    };

    /// <summary>A token as it should be, by the key of that name.</summary>
    public string Token(string key, JsonObject claims) => _keys[key] is RSA rsa
        ? Token("RS256", key, claims, input => rsa.SignData(input, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1))
        : Token("ES256", key, claims, input => ((ECDsa)_keys[key]).SignData(input, HashAlgorithmName.SHA256));

    /// <summary>A token of any kind; a key of null is not named.</summary>
    public static string Token(string algorithm, string? key, JsonObject claims, Func<byte[], byte[]> sign)
    {
        var header = new JsonObject { ["alg"] = algorithm, ["typ"] = "JWT" };
        if (key is not null) header["kid"] = key;
        var input = $"{Base64(header)}.{Base64(claims)}";
        return $"{input}.{Base64Url.EncodeToString(sign(Encoding.ASCII.GetBytes(input)))}";
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        foreach (var key in _keys.Values) key.Dispose();
    }

    private static string Base64(JsonObject json) => Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(json));

    private static object Jwk(string id, AsymmetricAlgorithm key)
    {
        if (key is RSA rsa)
        {
            var r = rsa.ExportParameters(false);
            return new { kid = id, kty = "RSA", use = "sig", n = Base64Url.EncodeToString(r.Modulus), e = Base64Url.EncodeToString(r.Exponent) };
        }

        var q = ((ECDsa)key).ExportParameters(false).Q;
        return new { kid = id, kty = "EC", use = "sig", crv = "P-256", x = Base64Url.EncodeToString(q.X), y = Base64Url.EncodeToString(q.Y) };
    }
}
