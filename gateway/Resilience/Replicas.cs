using Microsoft.Extensions.Options;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Health;

namespace MlOps.Gateway.Resilience;

/// <summary>Which replicas of the services are used.</summary>
internal static class Replicas
{
    private static readonly TimeSpan ProbeTimeout = TimeSpan.FromSeconds(2);

    public static void AddResilience(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<IPassiveHealthCheckPolicy, OutlierPolicy>().AddSingleton<RetryBudget>();
        builder.Services.AddSingleton<Drain>().AddHostedService(services => services.GetRequiredService<Drain>());
        builder.Services.AddOptions<HostOptions>().Configure<IOptions<GatewayOptions>>((host, gateway) =>
            host.ShutdownTimeout = gateway.Value.DrainDelay + gateway.Value.DrainTimeout);
        // A line for every probe that fails would say for as long as a service is away what one line says.
        builder.Logging.AddFilter("Yarp.ReverseProxy.Health", LogLevel.Error);
    }

    /// <summary>
    /// A replica is asked every <c>Gateway:ProbeInterval</c> whether it is alive. Where none seems to be, all are used: the only address of a
    /// service serves again the moment it is back.
    /// </summary>
    public static HealthCheckConfig Checks(int replicas, GatewayOptions options) => new()
    {
        AvailableDestinationsPolicy = HealthCheckConstants.AvailableDestinations.HealthyOrPanic,
        Active = new ActiveHealthCheckConfig
        {
            Enabled = true,
            Interval = options.ProbeInterval,
            Timeout = ProbeTimeout,
            Path = "/alive",
            Policy = HealthCheckConstants.ActivePolicy.ConsecutiveFailures,
        },
        Passive = new PassiveHealthCheckConfig { Enabled = replicas > 1, Policy = OutlierPolicy.PolicyName },
    };
}
