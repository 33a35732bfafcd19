using System.Net;
using Grpc.Net.Client;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using MlOps.ServiceDefaults.Health;

namespace MlOps.ServiceDefaults.Tests;

public sealed class HealthTests
{
    [Fact]
    public async Task A_service_that_lost_something_is_alive_but_not_well()
    {
        await using var host = await Host.StartAsync(builder => builder.Services.AddHealthChecks()
            .AddCheck("store", () => HealthCheckResult.Unhealthy("the store is away")));
        using var channel = GrpcChannel.ForAddress(host.Grpc);

        Assert.Equal(HttpStatusCode.OK, (await host.Http.GetAsync("/alive")).StatusCode);
        var health = await host.Http.GetAsync("/health");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, health.StatusCode);
        Assert.Contains("the store is away", await health.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        var grpc = await new Health.Health.HealthClient(channel).CheckAsync(new HealthCheckRequest());
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.NotServing, grpc.Status);
    }

    [Fact]
    public async Task A_good_report_is_asked_for_once_in_ten_seconds()
    {
        var asked = 0;
        await using var host = await Host.StartAsync(builder => builder.Services.AddHealthChecks().AddCheck("count", () =>
        {
            Interlocked.Increment(ref asked);
            return HealthCheckResult.Healthy();
        }));

        for (var i = 0; i < 5; i++) Assert.Equal(HttpStatusCode.OK, (await host.Http.GetAsync("/health")).StatusCode);

        Assert.Equal(1, asked);
    }
}
