using System.Collections.Frozen;
using Grpc.Core;
using Microsoft.AspNetCore.Http.Features;
using MlOps.Gateway.Access;
using MlOps.Gateway.JsonCalls;
using MlOps.Gateway.Rollouts.Observations;
using MlOps.Gateway.Shadows;
using Yarp.ReverseProxy.Forwarder;

namespace MlOps.Gateway.Routes;

/// <summary>
/// A request that no service answered gets an answer in the words of its own protocol: a gRPC status, the Open Inference
/// Protocol's <c>{"error": …}</c>, else problem details.
/// </summary>
internal sealed partial class ForwardFailures(
    RequestDelegate next, GatewayMetrics metrics, TimeProvider time, ILogger<ForwardFailures> logger)
{
    private static readonly FrozenSet<string> AnswerStreams = PlatformService.All.SelectMany(s => s.GrpcServices)
        .SelectMany(s => s.Methods).Where(m => m.IsServerStreaming)
        .Select(m => $"/{m.Service.FullName}/{m.Name}").ToFrozenSet(StringComparer.Ordinal);

    public async Task InvokeAsync(HttpContext http)
    {
        var reset = AnswerStreams.Contains(http.Request.Path.Value ?? "") ? HeldReset.In(http) : null;
        var started = time.GetTimestamp();
        await next(http);
        if (http.Features.Get<IForwarderErrorFeature>() is { } failure) await AnswerAsync(http, failure, reset);
        // Of a rollout's canary or baseline: now it is known what the caller got.
        http.Features.Get<Observation>()?.End(http, time.GetElapsedTime(started));
        http.Features.Get<ShadowTap>()?.End(http);
    }

    private async Task AnswerAsync(HttpContext http, IForwarderErrorFeature failure, HeldReset? reset)
    {
        if (http.RequestAborted.IsCancellationRequested)
        {
            reset?.Release();
            return;
        }

        var service = ServiceOf(http);
        // A message that was refused on its way looks to the forwarder like any other failure, and not always like the same.
        var refusal = http.Features.Get<GuardedCall>()?.Refusal ?? http.Features.Get<JsonRequest>()?.Refusal;
        if (refusal is null) Note(http, failure, service);
        var answer = refusal ?? AnswerTo(failure, service);
        if (!http.Response.HasStarted) await answer.WriteAsync(http);
        // A stream of answers ends with a status like any other; of anything else the forwarder has reset the connection.
        else if (reset is not null) GrpcAnswer.Append(http.Response, answer.Grpc, answer.Code, answer.Message);
    }

    private void Note(HttpContext http, IForwarderErrorFeature failure, string service)
    {
        metrics.ForwardFailures.Add(1, new("service", service), new("error", failure.Error.ToString()));
        LogNotAnswered(service, http.Request.Path, failure.Error, failure.Exception?.Message);
    }

    private static Refusal AnswerTo(IForwarderErrorFeature failure, string service) => failure.Error switch
    {
        ForwarderError.RequestTimedOut => new Refusal(
            StatusCode.DeadlineExceeded, StatusCodes.Status504GatewayTimeout, "DEADLINE_EXCEEDED",
            $"The service {service} did not answer in time."),
        // The forwarder blames the client as well when the service broke off while the request was still being read; the
        // client is at fault only where the server found its request to be bad.
        _ when BadRequest(failure.Exception) is { } bad => Refused(bad),
        _ => new Refusal(
            StatusCode.Unavailable, StatusCodes.Status503ServiceUnavailable, "SERVICE_UNAVAILABLE",
            $"The service {service} is away; try again.")
        {
            RetryAfter = TimeSpan.FromSeconds(1),
        },
    };

    private static Refusal Refused(BadHttpRequestException bad) => bad.StatusCode == StatusCodes.Status413PayloadTooLarge
        ? new Refusal(
            StatusCode.ResourceExhausted, bad.StatusCode, "REQUEST_TOO_LARGE",
            "The request body is larger than the gateway takes.")
        : new Refusal(
            StatusCode.InvalidArgument, bad.StatusCode, "REQUEST_MALFORMED",
            "The request body could not be read to its end.");

    internal static BadHttpRequestException? BadRequest(Exception? exception)
    {
        for (var e = exception; e is not null; e = e.InnerException)
        {
            if (e is BadHttpRequestException bad) return bad;
        }

        return null;
    }

    private static string ServiceOf(HttpContext http) =>
        http.GetReverseProxyFeature().Route.Config.ClusterId?.Split(' ')[0] ?? "unknown";

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Service} did not answer {Path}: {Error}, {Reason}")]
    private partial void LogNotAnswered(string service, PathString path, ForwarderError error, string? reason);

    /// <summary>Keeps the forwarder from tearing a stream down before its status is told.</summary>
    private sealed class HeldReset(IHttpResetFeature real) : IHttpResetFeature
    {
        private int? _code;

        public static HeldReset? In(HttpContext http)
        {
            if (http.Features.Get<IHttpResetFeature>() is not { } real) return null;
            var held = new HeldReset(real);
            http.Features.Set<IHttpResetFeature>(held);
            return held;
        }

        public void Reset(int errorCode) => _code = errorCode;

        public void Release()
        {
            if (_code is { } code) real.Reset(code);
        }
    }
}
