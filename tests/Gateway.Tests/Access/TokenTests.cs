using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using MlOps.Gateway.Access;
using MlOps.Gateway.Access.Tokens;
using MlOps.TestServers;

namespace MlOps.Gateway.Tests.Access;

public sealed class TokenTests : IAsyncLifetime
{
    private readonly ManualTimeProvider _time = new();
    private TestIssuer _issuer = null!; // set before any test runs
    private readonly ServiceProvider _services = new ServiceCollection().AddHttpClient().BuildServiceProvider();

    public async Task InitializeAsync()
    {
        _issuer = await new TestIssuer().StartAsync();
        _issuer.AddRsa("rsa-1");
        _issuer.AddEc("ec-1");
    }

    public async Task DisposeAsync()
    {
        await _issuer.DisposeAsync();
        await _services.DisposeAsync();
    }

    [Theory]
    [InlineData("rsa-1")]
    [InlineData("ec-1")]
    public async Task A_token_of_the_issuer_tells_who_it_is_and_what_that_one_may(string key)
    {
        var tokens = Tokens();
        var token = _issuer.Token(key, Claims("viewer", "operator:fraud-*", "something-else"));
        Assert.Null(tokens.FindKnown(token));

        var caller = (await tokens.ValidateAsync(token, CancellationToken.None)).Caller;

        Assert.Equal(("user:ann", "Ann"), (caller?.Name, caller?.Display));
        Assert.True(caller?.May(Right.Operate, "fraud-eu"));
        Assert.False(caller?.May(Right.Operate, "churn"));
        Assert.True(caller?.May(Right.Read, "churn"));
        Assert.False(caller?.MaySomewhere(Right.Administer));
        Assert.Same(caller, tokens.FindKnown(token));
    }

    public static TheoryData<string> Wrong =>
    [
        "alg none", "alg none without signature", "alg None", "symmetric with the public key", "symmetric with the key's file",
        "another key under that name", "the name of a key that is not there", "no name among several keys", "elliptic key, RSA algorithm",
        "claims tampered", "header tampered", "signature cut", "signature empty", "another issuer", "no issuer", "another audience", "no audience",
        "over", "not yet", "no end", "no subject", "subject with a line break", "not base64", "not JSON", "no token",
    ];

    [Theory]
    [MemberData(nameof(Wrong))]
    public async Task A_token_that_is_wrong_in_any_way_opens_nothing(string how)
    {
        var tokens = Tokens();
        var good = _issuer.Token("rsa-1", Claims("admin"));
        Assert.NotNull((await tokens.ValidateAsync(good, CancellationToken.None)).Caller);

        var (caller, isExpired) = await tokens.ValidateAsync(MakeWrong(how, good), CancellationToken.None);

        Assert.Null(caller);
        Assert.Equal(how == "over", isExpired);
    }

    [Fact]
    public async Task Clocks_may_differ_by_a_minute_and_no_more()
    {
        var tokens = Tokens();
        foreach (var (seconds, isGood) in new[] { (-59, true), (-61, false) })
        {
            var claims = Claims("viewer");
            claims["exp"] = _time.GetUtcNow().AddSeconds(seconds).ToUnixTimeSeconds();
            Assert.Equal(isGood, (await tokens.ValidateAsync(_issuer.Token("rsa-1", claims), CancellationToken.None)).Caller is not null);
            claims = Claims("viewer");
            claims["nbf"] = _time.GetUtcNow().AddSeconds(-seconds).ToUnixTimeSeconds();
            Assert.Equal(isGood, (await tokens.ValidateAsync(_issuer.Token("rsa-1", claims), CancellationToken.None)).Caller is not null);
        }
    }

    [Fact]
    public async Task A_key_the_issuer_has_since_begun_to_use_is_fetched_and_one_it_gave_up_ends()
    {
        var tokens = Tokens();
        Assert.NotNull((await tokens.ValidateAsync(_issuer.Token("rsa-1", Claims("viewer")), CancellationToken.None)).Caller);
        _time.Advance(TimeSpan.FromSeconds(31));
        _issuer.AddRsa("rsa-2");
        Assert.NotNull((await tokens.ValidateAsync(_issuer.Token("rsa-2", Claims("viewer")), CancellationToken.None)).Caller);

        var old = _issuer.Token("rsa-1", Claims("viewer"));
        _issuer.Remove("rsa-1");
        Assert.NotNull((await tokens.ValidateAsync(old, CancellationToken.None)).Caller);
        _time.Advance(TimeSpan.FromSeconds(90));
        var claims = Claims("viewer");
        Assert.NotNull(tokens.FindKnown(old));
        _time.Advance(TimeSpan.FromMinutes(4));
        Assert.Null(tokens.FindKnown(old));
        _time.Advance(TimeSpan.FromHours(1));
        Assert.NotNull((await tokens.ValidateAsync(_issuer.Token("rsa-2", Claims("viewer")), CancellationToken.None)).Caller);
        Assert.Null((await tokens.ValidateAsync(old, CancellationToken.None)).Caller);
    }

    [Fact]
    public async Task Invented_names_of_keys_do_not_make_it_ask_again_and_again()
    {
        var tokens = Tokens();
        using var rsa = RSA.Create(2048);
        for (var i = 0; i < 20; i++)
        {
            var token = TestIssuer.Token("RS256", $"invented-{i}", Claims("admin"), b => rsa.SignData(b, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));
            Assert.Null((await tokens.ValidateAsync(token, CancellationToken.None)).Caller);
        }

        Assert.Equal(1, _issuer.Fetches);
    }

    [Fact]
    public async Task While_the_issuer_is_away_the_keys_there_are_stay_good()
    {
        var tokens = Tokens();
        Assert.NotNull((await tokens.ValidateAsync(_issuer.Token("rsa-1", Claims("viewer")), CancellationToken.None)).Caller);
        await _issuer.StopAsync();
        _time.Advance(TimeSpan.FromHours(2));
        Assert.NotNull((await tokens.ValidateAsync(_issuer.Token("rsa-1", Claims("viewer")), CancellationToken.None)).Caller);

        await Assert.ThrowsAsync<IssuerAwayException>(() => Tokens().ValidateAsync(_issuer.Token("rsa-1", Claims("viewer")), CancellationToken.None));
    }

    [Fact]
    public async Task An_issuer_that_calls_itself_otherwise_is_not_the_one_configured()
    {
        _issuer.Name = "https://somebody.else";
        await Assert.ThrowsAsync<IssuerAwayException>(() => Tokens().ValidateAsync(_issuer.Token("rsa-1", Claims("viewer")), CancellationToken.None));
    }

    [Fact]
    public async Task Groups_are_given_their_roles_by_configuration_and_lie_where_it_says()
    {
        var tokens = Tokens(new OidcOptions
        {
            RolesClaim = "realm_access.roles",
            Roles = { ["fraud-team"] = "data-scientist:fraud-*", ["admin"] = "viewer" },
        });
        var claims = Claims("admin");
        claims["realm_access"] = new JsonObject { ["roles"] = new JsonArray("fraud-team", "admin", 7, null) };
        var caller = (await tokens.ValidateAsync(_issuer.Token("rsa-1", claims), CancellationToken.None)).Caller;
        Assert.Equal(
            ["data-scientist fraud-*", "viewer *"], caller?.Grants.Select(g => $"{g.Role.Name} {g.Models}").Order(StringComparer.Ordinal));

        tokens = Tokens(new OidcOptions { RolesClaim = "https://mlops/scope" });
        claims["https://mlops/scope"] = "viewer approver:churn nothing";
        caller = (await tokens.ValidateAsync(_issuer.Token("rsa-1", claims), CancellationToken.None)).Caller;
        Assert.Equal(["approver churn", "viewer *"], caller?.Grants.Select(g => $"{g.Role.Name} {g.Models}").Order(StringComparer.Ordinal));
    }

    [Fact]
    public void What_is_remembered_of_tokens_is_bounded()
    {
        var cache = new TokenCache();
        var now = _time.GetUtcNow();
        for (var i = 0; i < TokenCache.Capacity; i++)
            cache.Add($"token {i}", Caller.Anonymous, i % 2 == 0 ? now.AddSeconds(1) : now.AddHours(1), now);
        Assert.Equal(TokenCache.Capacity, cache.Count);

        cache.Add("one more", Caller.Anonymous, now.AddHours(1), now.AddSeconds(2));
        Assert.Equal((TokenCache.Capacity / 2) + 1, cache.Count);
        Assert.NotNull(cache.Find("token 1", now));
        Assert.Null(cache.Find("token 0", now));

        for (var i = 0; i < TokenCache.Capacity * 2; i++) cache.Add($"more {i}", Caller.Anonymous, now.AddHours(1), now);
        Assert.InRange(cache.Count, 1, TokenCache.Capacity);
        Assert.NotNull(cache.Find($"more {(TokenCache.Capacity * 2) - 1}", now));
    }

    [Theory]
    [InlineData("http://issuer.example", "mlops", "viewer", "https")]
    [InlineData("nothing", "mlops", "viewer", "https")]
    [InlineData("https://issuer.example", "", "viewer", "Audience")]
    [InlineData("https://issuer.example", "mlops", "king", "Roles:team")]
    [InlineData("https://issuer.example", "mlops", "viewer", null)]
    [InlineData("http://127.0.0.1:80", "mlops", "viewer:x-*", null)]
    public void Wrong_settings_stop_the_start_and_say_which(string issuer, string audience, string role, string? complaint)
    {
        var options = new AccessOptions { Oidc = new OidcOptions { Issuer = issuer, Audience = audience, Roles = { ["team"] = role } } };
        var found = options.Validate(new System.ComponentModel.DataAnnotations.ValidationContext(options)).Select(r => r.ErrorMessage).ToList();
        if (complaint is null) Assert.Empty(found);
        else Assert.Contains(complaint, Assert.Single(found), StringComparison.Ordinal);
    }

    private JsonObject Claims(params string[] roles) => _issuer.Claims(_time.GetUtcNow(), roles);

    private TokenAuthenticator Tokens(OidcOptions? oidc = null)
    {
        oidc ??= new OidcOptions();
        var options = Options.Create(new AccessOptions { Oidc = oidc with { Issuer = _issuer.Address, Audience = "mlops" } });
        var clients = _services.GetRequiredService<IHttpClientFactory>();
        return new TokenAuthenticator(new IssuerKeys(clients, options, _time, NullLogger<IssuerKeys>.Instance), options, _time);
    }

    private string MakeWrong(string how, string good)
    {
        var parts = good.Split('.');
        var claims = Claims("admin");
        var rsa = _issuer.Rsa("rsa-1");
        switch (how)
        {
            case "alg none": return TestIssuer.Token("none", "rsa-1", claims, _ => [1]);
            case "alg none without signature": return TestIssuer.Token("none", "rsa-1", claims, _ => []);
            case "alg None": return TestIssuer.Token("None", "rsa-1", claims, _ => []);
            case "symmetric with the public key":
                return TestIssuer.Token("HS256", "rsa-1", claims, b => HMACSHA256.HashData(rsa.ExportSubjectPublicKeyInfo(), b));
            case "symmetric with the key's file":
                return TestIssuer.Token("HS256", "rsa-1", claims, b => HMACSHA256.HashData(Encoding.ASCII.GetBytes(rsa.ExportSubjectPublicKeyInfoPem()), b));
            case "another key under that name":
                using (var other = RSA.Create(2048))
                    return TestIssuer.Token("RS256", "rsa-1", claims, b => other.SignData(b, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));
            case "the name of a key that is not there": return TestIssuer.Token("RS256", "rsa-9", claims, Sign);
            case "no name among several keys": return TestIssuer.Token("RS256", null, claims, Sign);
            case "elliptic key, RSA algorithm": return TestIssuer.Token("RS256", "ec-1", claims, Sign);
            case "claims tampered":
                claims["sub"] = "eve";
                return $"{parts[0]}.{Encode(claims)}.{parts[2]}";
            case "header tampered": return $"{Encode(new JsonObject { ["alg"] = "RS384", ["kid"] = "rsa-1" })}.{parts[1]}.{parts[2]}";
            case "signature cut": return good[..^4];
            case "signature empty": return $"{parts[0]}.{parts[1]}.";
            case "not base64": return $"{parts[0]}.!!!.{parts[2]}";
            case "not JSON": return $"{parts[0]}.{Base64Url.EncodeToString("hello"u8)}.{parts[2]}";
            case "no token": return "a.b.c";
            case "another issuer": claims["iss"] = "https://somebody.else"; break;
            case "no issuer": claims.Remove("iss"); break;
            case "another audience": claims["aud"] = new JsonArray("other", "mlops2"); break;
            case "no audience": claims.Remove("aud"); break;
            case "over": claims["exp"] = _time.GetUtcNow().AddMinutes(-2).ToUnixTimeSeconds(); break;
            case "not yet": claims["nbf"] = _time.GetUtcNow().AddMinutes(2).ToUnixTimeSeconds(); break;
            case "no end": claims.Remove("exp"); break;
            case "no subject": claims.Remove("sub"); break;
            case "subject with a line break": claims["sub"] = "ann\nroot"; break;
            default: throw new ArgumentException(how, nameof(how));
        }

        return _issuer.Token("rsa-1", claims);

        byte[] Sign(byte[] input) => rsa.SignData(input, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
    }

    private static string Encode(JsonObject json) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(json.ToJsonString()));
}
