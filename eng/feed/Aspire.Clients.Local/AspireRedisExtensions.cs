using Aspire.StackExchange.Redis;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using StackExchange.Redis;

namespace Microsoft.Extensions.Hosting;

/// <summary>Registers one <see cref="IConnectionMultiplexer"/> for a named connection string, watched.</summary>
public static class AspireRedisExtensions
{
    /// <summary>
    /// Registers the connection of <c>ConnectionStrings:<paramref name="connectionName"/></c>; it starts without the server and
    /// reconnects by itself. Resolving it fails when the connection string is missing.
    /// </summary>
    public static void AddRedisClient(
        this IHostApplicationBuilder builder,
        string connectionName,
        Action<StackExchangeRedisSettings>? configureSettings = null,
        Action<ConfigurationOptions>? configureOptions = null)
    {
        var settings = new StackExchangeRedisSettings
        {
            ConnectionString = builder.Configuration.GetConnectionString(connectionName),
        };
        builder.Configuration.GetSection("Aspire:StackExchange:Redis").Bind(settings);
        builder.Configuration.GetSection($"Aspire:StackExchange:Redis:{connectionName}").Bind(settings);
        configureSettings?.Invoke(settings);

        builder.Services.AddSingleton<IConnectionMultiplexer>(_ => Connect(connectionName, settings, configureOptions));
        if (!settings.DisableHealthChecks)
            builder.Services.AddHealthChecks().Add(new HealthCheckRegistration(
                "StackExchange.Redis",
                services => new RedisHealthCheck(services.GetRequiredService<IConnectionMultiplexer>()),
                failureStatus: null,
                tags: null));
    }

    private static ConnectionMultiplexer Connect(
        string connectionName,
        StackExchangeRedisSettings settings,
        Action<ConfigurationOptions>? configure)
    {
        if (string.IsNullOrEmpty(settings.ConnectionString))
            throw new InvalidOperationException(
                $"The connection string 'ConnectionStrings:{connectionName}' is missing; "
                + $"set the environment variable ConnectionStrings__{connectionName}.");

        var options = ConfigurationOptions.Parse(settings.ConnectionString);
        options.AbortOnConnectFail = false;
        configure?.Invoke(options);
        return ConnectionMultiplexer.Connect(options);
    }
}
