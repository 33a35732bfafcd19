using System.Security.Cryptography;
using System.Text;
using MlOps.Gateway.Access.Keys;

namespace MlOps.Gateway.Tests.Access;

public sealed class KeyTextTests
{
    [Fact]
    public void A_key_is_read_back_into_its_name_and_its_secret()
    {
        var (id, secret) = (KeyText.NewId(), KeyText.NewSecret());
        var text = KeyText.Of(id, secret);

        Assert.Matches(@"\Amlops_[a-z2-7]{16}_[A-Za-z0-9_-]{43}\z", text);
        Assert.True(KeyText.TryRead(text, out var readId, out var readSecret));
        Assert.Equal((id, secret), (readId.ToString(), readSecret.ToString()));
        Assert.NotEqual(secret, KeyText.NewSecret());
    }

    [Theory]
    [InlineData("")]
    [InlineData("mlops_")]
    [InlineData("mlops_aaaaaaaaaaaaaaaa_short")]
    [InlineData("other_aaaaaaaaaaaaaaaa_bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb")]
    [InlineData("mlops_aaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb")]
    [InlineData("mlops_aaaaaaaaaaaaaaaa_bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb")]
    public void What_has_another_shape_is_no_key(string text) => Assert.False(KeyText.TryRead(text, out _, out _));

    [Fact]
    public void Only_the_secret_itself_opens_and_its_hash_is_sha_256_over_salt_and_secret()
    {
        var secret = KeyText.NewSecret();
        var hash = SecretHash.Of(secret);

        Assert.Equal(SHA256.HashData([.. hash.Salt, .. Encoding.ASCII.GetBytes(secret)]), hash.Hash);
        Assert.True(hash.Matches(secret));
        Assert.False(hash.Matches(KeyText.NewSecret()));
        Assert.False(hash.Matches(secret.AsSpan(..^1)));
        Assert.False(hash.Matches(secret + "A"));
        Assert.False(hash.Matches(secret[..^1] + 'é'));
        Assert.False(hash.Matches(""));
        Assert.NotEqual(hash.Salt, SecretHash.Of(secret).Salt);
    }
}
