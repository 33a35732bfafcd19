using Grpc.Core;
using MassTransit;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Npgsql;

namespace MlOps.ServiceDefaults;

/// <summary>Adds the event bus: MassTransit on RabbitMQ.</summary>
public static class BusExtensions
{
    /// <summary>
    /// Consumers get a durable queue each, named after service and consumer, with exponential retry and an error queue.
    /// Names start with the configuration value <c>Bus:Prefix</c>, so that several platforms can share a broker.
    /// </summary>
    public static TBuilder AddBus<TBuilder>(
        this TBuilder builder,
        Action<IBusRegistrationConfigurator>? registrations = null,
        Action<IBusRegistrationContext, IRabbitMqBusFactoryConfigurator>? configure = null)
        where TBuilder : IHostApplicationBuilder
    {
        var address = builder.Configuration.GetConnectionString("rabbitmq")
            ?? throw new InvalidOperationException("ConnectionStrings:rabbitmq is not set.");
        var prefix = builder.Configuration["Bus:Prefix"] ?? "";
        var service = builder.Environment.ApplicationName.Split('.')[^1];

        builder.Services.AddMassTransit(bus =>
        {
            bus.DisableUsageTelemetry();
            bus.SetEndpointNameFormatter(new KebabCaseEndpointNameFormatter($"{prefix}{service}", false));
            bus.AddConfigureEndpointsCallback((_, _, endpoint) =>
            {
                endpoint.UseMessageRetry(UntilItIsBack);
                endpoint.UseMessageRetry(ExponentialRetry);
            });
            registrations?.Invoke(bus);
            bus.UsingRabbitMq((context, rabbit) =>
            {
                rabbit.Host(new Uri(address));
                if (prefix.Length > 0)
                {
                    rabbit.MessageTopology.SetEntityNameFormatter(
                        new PrefixEntityNameFormatter(rabbit.MessageTopology.EntityNameFormatter, prefix));
                }

                configure?.Invoke(context, rabbit);
                rabbit.ConfigureEndpoints(context);
            });
        });
        // The service answers requests while the broker is away; health tells of it.
        builder.Services.Configure<MassTransitHostOptions>(options => options.WaitUntilStarted = false);
        return builder;
    }

    /// <summary>
    /// While a database or a service is away, a message waits for it: up to fifteen seconds between tries, for eight hours.
    /// </summary>
    public static void UntilItIsBack(IRetryConfigurator retry)
    {
        retry.Handle<NpgsqlException>(IsAway);
        retry.Handle<RpcException>(IsAway);
        retry.Intervals([.. Enumerable.Range(0, 2_000).Select(i => TimeSpan.FromSeconds(Math.Min(15, 0.1 * Math.Pow(2, i))))]);
    }

    /// <summary>
    /// For failures of any other kind five more tries over about twenty seconds, then the error queue; a wrong message goes
    /// there at once.
    /// </summary>
    public static void ExponentialRetry(IRetryConfigurator retry)
    {
        retry.Ignore<InvalidRequestException>();
        retry.Ignore<NpgsqlException>(IsAway);
        retry.Ignore<RpcException>(IsAway);
        retry.Exponential(
            retryLimit: 5, minInterval: TimeSpan.FromMilliseconds(200), maxInterval: TimeSpan.FromSeconds(15),
            intervalDelta: TimeSpan.FromMilliseconds(500));
    }

    private static bool IsAway(NpgsqlException e) => e.IsTransient;

    private static bool IsAway(RpcException e) => e.StatusCode is StatusCode.Unavailable or StatusCode.DeadlineExceeded;
}
