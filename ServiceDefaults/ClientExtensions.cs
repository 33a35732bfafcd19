using Grpc.Core;
using Grpc.Net.Client.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using MlOps.ServiceDefaults.Platform;

namespace MlOps.ServiceDefaults;

/// <summary>Adds gRPC clients of the platform's own services.</summary>
public static class ClientExtensions
{
    /// <summary>Largest gRPC message taken or sent, in bytes; bulk goes in streams.</summary>
    public const int MaxMessageSize = 32 * 1024 * 1024;

    /// <summary>How long a request waits for a service that is being restarted.</summary>
    public static readonly TimeSpan RestartPatience = TimeSpan.FromSeconds(8);

    /// <summary>
    /// Registers <typeparamref name="TClient"/> for the service of that name. A call to a service that is being
    /// restarted waits for it, and one that never reached it is retried; the deadline is the caller's to set. It carries the
    /// platform's credential, where one is configured.
    /// </summary>
    public static IHttpClientBuilder AddServiceClient<TClient>(this IHostApplicationBuilder builder, string service)
        where TClient : class
    {
        var key = $"services:{service}:grpc:0";
        var address = builder.Configuration[key] ?? throw new InvalidOperationException($"{key} is not set.");
        builder.Services.TryAddTransient<CredentialHandler>();
        return builder.Services
            .AddGrpcClient<TClient>(options => options.Address = new Uri(address))
            .AddHttpMessageHandler<CredentialHandler>()
            .RedactLoggedHeaders([PlatformCredential.Header])
            .ConfigurePrimaryHttpMessageHandler(() => new SocketsHttpHandler
            {
                EnableMultipleHttp2Connections = true,
                PooledConnectionIdleTimeout = TimeSpan.FromMinutes(5),
                KeepAlivePingDelay = TimeSpan.FromSeconds(30),
                KeepAlivePingTimeout = TimeSpan.FromSeconds(10),
            }.ConnectPatiently(RestartPatience))
            .ConfigureChannel(channel =>
            {
                channel.MaxReceiveMessageSize = MaxMessageSize;
                channel.MaxSendMessageSize = MaxMessageSize;
                channel.ServiceConfig = new ServiceConfig { MethodConfigs = { RetryUnavailable } };
            });
    }

    private static MethodConfig RetryUnavailable => new()
    {
        Names = { MethodName.Default },
        RetryPolicy = new RetryPolicy
        {
            MaxAttempts = 5,
            InitialBackoff = TimeSpan.FromMilliseconds(50),
            MaxBackoff = TimeSpan.FromSeconds(2),
            BackoffMultiplier = 3,
            RetryableStatusCodes = { StatusCode.Unavailable },
        },
    };
}
