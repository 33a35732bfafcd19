using System.Net;
using System.Net.Security;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace MlOps.ServiceDefaults.Listening;

/// <summary>Where a service listens, and with which certificate.</summary>
internal static class Listeners
{
    /// <param name="builder">The service.</param>
    /// <param name="needsCredential">A service, other than the gateway: beyond loopback it takes calls from the platform alone.</param>
    /// <exception cref="InvalidOperationException">The settings are wrong, or would leave the service open to others.</exception>
    public static void Add(WebApplicationBuilder builder, bool needsCredential)
    {
        var bind = builder.Configuration["MLOPS_BIND"] ?? "127.0.0.1";
        if (!IPAddress.TryParse(bind, out var address))
            throw new InvalidOperationException($"MLOPS_BIND={bind} is no IP address; 0.0.0.0 stands for all of them.");
        var credential = new PlatformCredential(builder.Configuration);
        if (needsCredential && !IPAddress.IsLoopback(address) && !credential.IsConfigured)
        {
            throw new InvalidOperationException(
                $"MLOPS_BIND={bind} lets others reach this service, which would take their calls for the platform's. Set "
                + $"{PlatformCredential.Setting} to the same secret for all services and the gateway, or MLOPS_BIND=127.0.0.1.");
        }

        builder.Services.AddSingleton(credential);
        // Health is asked for on loopback, whatever else is listened on.
        var isElsewhere = !IPAddress.IsLoopback(address) && !address.Equals(IPAddress.Any) && !address.Equals(IPAddress.IPv6Any);
        var http = builder.Configuration.GetValue("MLOPS_HTTP_PORT", 0);
        var grpc = builder.Configuration.GetValue("MLOPS_GRPC_PORT", 0);
        var tls = builder.Configuration.GetSection("Tls").Get<TlsOptions>() ?? new TlsOptions();
        var certificate = tls.IsConfigured ? new ServerCertificate(tls, TimeProvider.System) : null;
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = ClientExtensions.MaxMessageSize;
            foreach (var ip in isElsewhere ? [address, IPAddress.Loopback] : new[] { address })
            {
                kestrel.Listen(ip, http, listen => Speak(listen, HttpProtocols.Http1, certificate));
                kestrel.Listen(ip, grpc, listen => Speak(listen, HttpProtocols.Http2, certificate));
            }

            // Probes on this machine do not know the certificate's name.
            if (certificate is not null && builder.Configuration.GetValue<int?>("MLOPS_PROBE_PORT") is { } probe)
                kestrel.Listen(IPAddress.Loopback, probe, listen => listen.Protocols = HttpProtocols.Http1);
        });
    }

    private static void Speak(ListenOptions listen, HttpProtocols protocols, ServerCertificate? certificate)
    {
        // With TLS client and server agree on the protocol: browsers and proxies may speak HTTP/2 on the REST side as well.
        listen.Protocols = certificate is not null && protocols == HttpProtocols.Http1 ? HttpProtocols.Http1AndHttp2 : protocols;
        if (certificate is null) return;
        var logger = listen.ApplicationServices.GetRequiredService<ILoggerFactory>().CreateLogger("MlOps.ServiceDefaults.Listening");
        listen.UseHttps(new TlsHandshakeCallbackOptions
        {
            OnConnection = _ => new(new SslServerAuthenticationOptions { ServerCertificateContext = certificate.Current(logger) }),
        });
    }
}
