using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using MlOps.ServiceDefaults.Health;
using MlOps.ServiceDefaults.Listening;
using MlOps.TestServers;

namespace MlOps.ServiceDefaults.Tests;

public sealed class TlsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("mlops-tls-").FullName;

    [Theory]
    [InlineData("pem")]
    [InlineData("pem with its key")]
    [InlineData("encrypted pem")]
    [InlineData("pfx")]
    public async Task Rest_and_grpc_speak_tls_with_the_configured_certificate(string form)
    {
        using var certificate = SelfSigned("localhost");
        await using var host = await Host.StartAsync(settings: Write(certificate, form));
        using var http = ClientThatTrusts(certificate);

        using var request = new HttpRequestMessage(HttpMethod.Get, $"https://localhost:{host.Http.BaseAddress?.Port}/alive");
        using var rest = await http.SendAsync(request);
        Assert.Equal((HttpStatusCode.OK, HttpVersion.Version11), (rest.StatusCode, rest.Version));

        using var modern = new HttpRequestMessage(HttpMethod.Get, $"https://localhost:{host.Http.BaseAddress?.Port}/alive")
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        using var agreed = await http.SendAsync(modern);
        Assert.Equal((HttpStatusCode.OK, HttpVersion.Version20), (agreed.StatusCode, agreed.Version));

        using var channel = GrpcChannel.ForAddress($"https://localhost:{host.Grpc.Port}", new GrpcChannelOptions { HttpClient = http });
        var health = await new Health.Health.HealthClient(channel).CheckAsync(new HealthCheckRequest());
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, health.Status);

        await Assert.ThrowsAsync<HttpRequestException>(() => host.Http.GetAsync("/alive"));
        using var untrusting = new HttpClient();
        await Assert.ThrowsAsync<HttpRequestException>(() => untrusting.GetAsync($"https://localhost:{host.Http.BaseAddress?.Port}/alive"));
    }

    [Fact]
    public async Task Probes_on_the_machine_need_no_certificate()
    {
        using var certificate = SelfSigned("localhost");
        var port = FreePorts.Take();
        await using var host = await Host.StartAsync(settings: [.. Write(certificate, "pem"), ("MLOPS_PROBE_PORT", $"{port}")]);
        using var http = new HttpClient();
        Assert.Equal("alive", await http.GetStringAsync($"http://127.0.0.1:{port}/alive"));
    }

    [Fact]
    public void A_renewed_certificate_is_taken_up_and_a_broken_one_is_not()
    {
        using var first = SelfSigned("first");
        using var second = SelfSigned("second");
        var time = new ManualTimeProvider();
        var file = Path.Combine(_folder, "server.pem");
        WriteWhole(first, file, DateTime.UnixEpoch.AddDays(1));
        var server = new ServerCertificate(new TlsOptions { Certificate = file }, time);

        WriteWhole(second, file, DateTime.UnixEpoch.AddDays(2));
        Assert.Equal("CN=first", Subject());
        time.Advance(TimeSpan.FromSeconds(31));
        Assert.Equal("CN=second", Subject());

        File.WriteAllText(file, "-----BEGIN nothing");
        File.SetLastWriteTimeUtc(file, DateTime.UnixEpoch.AddDays(3));
        time.Advance(TimeSpan.FromSeconds(31));
        Assert.Equal("CN=second", Subject());

        WriteWhole(first, file, DateTime.UnixEpoch.AddDays(4));
        time.Advance(TimeSpan.FromSeconds(31));
        Assert.Equal("CN=first", Subject());

        string Subject() => server.Current(NullLogger.Instance).TargetCertificate.Subject;
    }

    [Theory]
    [InlineData("missing.pem", null)]
    [InlineData("nothing.pem", "text")]
    [InlineData("nothing.pfx", "\u0001\u0002")]
    public void A_certificate_that_cannot_be_read_stops_the_start_and_says_which(string name, string? content)
    {
        var file = Path.Combine(_folder, name);
        if (content is not null) File.WriteAllText(file, content);
        var builder = WebApplication.CreateBuilder();
        builder.Configuration.AddInMemoryCollection([new("Tls:Certificate", file)]);
        var refusal = Assert.Throws<InvalidOperationException>(() => builder.AddServiceDefaults("Testing"));
        Assert.Contains($"Tls:Certificate={file}", refusal.Message, StringComparison.Ordinal);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private (string, string)[] Write(X509Certificate2 certificate, string form)
    {
        var (pem, key, pfx) = (Path.Combine(_folder, "c.pem"), Path.Combine(_folder, "c.key"), Path.Combine(_folder, "c.pfx"));
        using var rsa = certificate.GetRSAPrivateKey() ?? throw new InvalidOperationException("It was made with one.");
        File.WriteAllText(pem, certificate.ExportCertificatePem());
        switch (form)
        {
            case "pem":
                File.WriteAllText(key, rsa.ExportPkcs8PrivateKeyPem());
                return [("Tls:Certificate", pem), ("Tls:Key", key)];
            case "pem with its key":
                WriteWhole(certificate, pem, DateTime.UnixEpoch);
                return [("Tls:Certificate", pem)];
            case "encrypted pem":
                File.WriteAllText(key, rsa.ExportEncryptedPkcs8PrivateKeyPem(
                    "a password", new PbeParameters(PbeEncryptionAlgorithm.Aes256Cbc, HashAlgorithmName.SHA256, 1000)));
                return [("Tls:Certificate", pem), ("Tls:Key", key), ("Tls:Password", "a password")];
            default:
                File.WriteAllBytes(pfx, certificate.Export(X509ContentType.Pfx, "a password"));
                return [("Tls:Certificate", pfx), ("Tls:Password", "a password")];
        }
    }

    private static void WriteWhole(X509Certificate2 certificate, string file, DateTime writtenAt)
    {
        using var rsa = certificate.GetRSAPrivateKey() ?? throw new InvalidOperationException("It was made with one.");
        File.WriteAllText(file, certificate.ExportCertificatePem() + "\n" + rsa.ExportPkcs8PrivateKeyPem() + "\n");
        File.SetLastWriteTimeUtc(file, writtenAt);
    }

    private static X509Certificate2 SelfSigned(string name)
    {
        using var rsa = RSA.Create(2048);
        var request = new CertificateRequest($"CN={name}", rsa, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(name);
        request.CertificateExtensions.Add(names.Build());
        var now = TimeProvider.System.GetUtcNow();
        return request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
    }

    private static HttpClient ClientThatTrusts(X509Certificate2 certificate) => new(new SocketsHttpHandler
    {
        SslOptions =
        {
            CertificateChainPolicy = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                CustomTrustStore = { certificate },
                RevocationMode = X509RevocationMode.NoCheck,
            },
        },
    });
}
