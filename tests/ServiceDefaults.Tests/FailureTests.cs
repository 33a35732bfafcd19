using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using MlOps.ServiceDefaults.Failures;
using MlOps.ServiceDefaults.Health;
using Npgsql;

namespace MlOps.ServiceDefaults.Tests;

public sealed class FailureTests
{
    public static TheoryData<Exception, StatusCode, int, string> Kinds => new()
    {
        { new InvalidRequestException("X_INVALID", "no"), StatusCode.InvalidArgument, 400, "X_INVALID" },
        { new NotFoundException("X_UNKNOWN", "no"), StatusCode.NotFound, 404, "X_UNKNOWN" },
        { new ConflictException("X_TAKEN", "no"), StatusCode.FailedPrecondition, 409, "X_TAKEN" },
        { new TimeoutException(), StatusCode.DeadlineExceeded, 504, "DEADLINE_EXCEEDED" },
        { new NpgsqlException("gone", new IOException()), StatusCode.Unavailable, 503, "POSTGRES_UNAVAILABLE" },
        { new RpcException(new Status(StatusCode.NotFound, "no")), StatusCode.NotFound, 404, "NOTFOUND" },
        { new RpcException(new Status(StatusCode.Unavailable, "away")), StatusCode.Unavailable, 503, "UNAVAILABLE" },
        { new InvalidOperationException("secret"), StatusCode.Internal, 500, "INTERNAL" },
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Every_kind_of_failure_has_one_status_for_grpc_and_one_for_http(
        Exception exception, StatusCode grpc, int http, string code)
    {
        var failure = Failure.Of(exception, CancellationToken.None);
        Assert.Equal((grpc, http, code), (failure.Grpc, failure.Http, failure.Code));
    }

    [Fact]
    public void What_was_not_expected_tells_nothing_of_the_inside()
    {
        var failure = Failure.Of(new InvalidOperationException("password=hunter2"), CancellationToken.None);
        Assert.True(failure.IsUnexpected);
        Assert.DoesNotContain("hunter2", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Over_http_every_broken_rule_is_named_in_problem_details()
    {
        await using var host = await Host.StartAsync(map: app => app.MapGet("/apply", string () =>
        {
            var violations = new Violations();
            violations.Add("entity.name", "must not be empty");
            violations.AddIf(true, "ttl_seconds", "must be at least 0");
            violations.AddIf(false, "owner", "is never wrong");
            violations.ThrowIfAny("DEFINITION_INVALID");
            return "applied";
        }));

        var answer = await host.Http.GetAsync("/apply");

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
        var problem = await answer.Content.ReadFromJsonAsync<JsonObject>();
        Assert.Equal("DEFINITION_INVALID", (string?)problem?["code"]);
        Assert.Equal(["entity.name", "ttl_seconds"], problem?["errors"]?.AsObject().Select(e => e.Key));
    }

    [Fact]
    public async Task Over_grpc_the_code_travels_in_a_trailer()
    {
        await using var host = await Host.StartAsync();
        using var channel = GrpcChannel.ForAddress(host.Grpc);

        var refused = await Assert.ThrowsAsync<RpcException>(
            async () => await new Health.Health.HealthClient(channel).CheckAsync(new HealthCheckRequest { Service = "nobody" }));

        Assert.Equal(StatusCode.NotFound, refused.StatusCode);
        Assert.Equal("SERVICE_UNKNOWN", refused.Trailers.GetValue("mlops-code"));
    }
}
