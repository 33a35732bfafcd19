using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using MlOps.ServiceDefaults.Health;

namespace MlOps.ServiceDefaults.Tests;

public sealed class CredentialTests
{
    private const string Secret = "0123456789abcdefghijklmnopqrstuvwxyzABCD";

    [Fact]
    public async Task With_a_credential_only_the_platform_is_answered_and_probes_are()
    {
        await using var host = await StartAsync();

        using var nobody = await host.Http.GetAsync("/work");
        Assert.Equal((HttpStatusCode.Unauthorized, "application/problem+json"), (nobody.StatusCode, nobody.Content.Headers.ContentType?.MediaType));
        Assert.Equal("PLATFORM_CREDENTIAL_REQUIRED", (string?)(await nobody.Content.ReadFromJsonAsync<JsonObject>())?["code"]);

        foreach (var wrong in new[] { "", Secret[..^1], Secret + "x", Secret.ToUpperInvariant(), new string('x', 5_000) })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/work");
            request.Headers.TryAddWithoutValidation(PlatformCredential.Header, wrong);
            using var answer = await host.Http.SendAsync(request);
            Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        }

        using var known = new HttpRequestMessage(HttpMethod.Get, "/work");
        known.Headers.Add(PlatformCredential.Header, Secret);
        using var done = await host.Http.SendAsync(known);
        Assert.Equal("done", await done.Content.ReadAsStringAsync());

        foreach (var probe in new[] { "/alive", "/health", "/metrics" })
        {
            using var answer = await host.Http.GetAsync(probe);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }
    }

    [Fact]
    public async Task Over_grpc_the_refusal_is_a_status()
    {
        await using var host = await StartAsync();
        using var channel = GrpcChannel.ForAddress(host.Grpc);
        var marshaller = Marshallers.Create<byte[]>(b => b, b => b);
        var method = new Method<byte[], byte[]>(MethodType.Unary, "some.Service", "Call", marshaller, marshaller);

        var refused = await Assert.ThrowsAsync<RpcException>(() =>
            channel.CreateCallInvoker().AsyncUnaryCall(method, null, default, []).ResponseAsync);
        Assert.Equal((StatusCode.Unauthenticated, "PLATFORM_CREDENTIAL_REQUIRED"), (refused.StatusCode, refused.Trailers.GetValue("mlops-code")));

        var known = await Assert.ThrowsAsync<RpcException>(() => channel.CreateCallInvoker().AsyncUnaryCall(
            method, null, new CallOptions(new Metadata { { PlatformCredential.Header, Secret } }), []).ResponseAsync);
        Assert.Equal(StatusCode.Unimplemented, known.StatusCode);

        var health = await new Health.Health.HealthClient(channel).CheckAsync(new HealthCheckRequest());
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, health.Status);
    }

    [Fact]
    public async Task Clients_of_the_platforms_services_send_it()
    {
        string? seen = null;
        await using var service = await Host.StartAsync(
            map: app => app.Use(async (http, next) =>
            {
                seen = http.Request.Headers[PlatformCredential.Header];
                await next(http);
            }),
            settings: (PlatformCredential.Setting, Secret));
        await using var caller = await Host.StartAsync(
            configure: builder => builder.AddServiceClient<Health.Health.HealthClient>("other"),
            settings: [(PlatformCredential.Setting, Secret), ("services:other:grpc:0", service.Grpc.ToString())]);

        await caller.Services.GetRequiredService<Health.Health.HealthClient>().CheckAsync(new HealthCheckRequest());

        Assert.Equal(Secret, seen);
    }

    [Fact]
    public async Task Without_one_a_service_on_loopback_takes_calls_from_anybody()
    {
        await using var host = await Host.StartAsync(map: Work);
        using var answer = await host.Http.GetAsync("/work");
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Theory]
    [InlineData("0.0.0.0")]
    [InlineData("::")]
    [InlineData("192.0.2.1")]
    public void Without_one_a_service_that_others_reach_does_not_start_and_says_what_to_set(string bind)
    {
        var builder = WebApplication.CreateBuilder();
        builder.Configuration.AddInMemoryCollection([new("MLOPS_BIND", bind)]);
        var refusal = Assert.Throws<InvalidOperationException>(() => builder.AddServiceDefaults("Testing"));
        Assert.Contains(PlatformCredential.Setting, refusal.Message, StringComparison.Ordinal);
        Assert.Contains(bind, refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_weak_one_is_refused_without_showing_it()
    {
        var builder = WebApplication.CreateBuilder();
        builder.Configuration.AddInMemoryCollection([new(PlatformCredential.Setting, "hunter2")]);
        var refusal = Assert.Throws<InvalidOperationException>(() => builder.AddServiceDefaults("Testing"));
        Assert.DoesNotContain("hunter2", refusal.Message, StringComparison.Ordinal);
    }

    private static Task<Host> StartAsync() => Host.StartAsync(map: Work, settings: (PlatformCredential.Setting, Secret));

    private static void Work(WebApplication app) => app.MapGet("/work", () => "done");
}
