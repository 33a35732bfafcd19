using System.Globalization;
using Grpc.Core;
using MlOps.Gateway.JsonCalls;
using MlOps.Gateway.Routes;

namespace MlOps.Gateway.Resilience;

/// <summary>
/// A deadline for requests that cannot carry one of their protocol: <c>x-mlops-timeout-ms</c>, 1 ms to an hour. When it is over the
/// service's work is cancelled and the caller told so (504). It goes on as <c>grpc-timeout</c>, whatever the protocol: a service that
/// knows when nobody waits any more does not begin what would be too late.
/// </summary>
internal sealed class Deadlines(RequestDelegate next)
{
    public const string Header = "x-mlops-timeout-ms";
    private const int Longest = 3_600_000;

    private static readonly Refusal Invalid = new(
        StatusCode.InvalidArgument, StatusCodes.Status400BadRequest, "TIMEOUT_INVALID",
        $"{Header} must be a whole number from 1 to {Longest}, once.");

    private static readonly Refusal Late = new(
        StatusCode.DeadlineExceeded, StatusCodes.Status504GatewayTimeout, "DEADLINE_EXCEEDED", "The answer did not come in the time given.");

    public Task InvokeAsync(HttpContext http)
    {
        var header = http.Request.Headers[Header];
        if (header.Count == 0) return next(http);
        return header is [{ } text] && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var milliseconds)
            && milliseconds is >= 1 and <= Longest
            ? RunAsync(http, TimeSpan.FromMilliseconds(milliseconds))
            : Invalid.WriteAsync(http);
    }

    private async Task RunAsync(HttpContext http, TimeSpan left)
    {
        var caller = http.RequestAborted;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(caller);
        limit.CancelAfter(left);
        http.RequestAborted = limit.Token;
        http.Request.Headers[GrpcTimeout.Header] = GrpcTimeout.Of(left);
        try
        {
            await next(http);
        }
        finally
        {
            http.RequestAborted = caller;
        }

        if (!limit.IsCancellationRequested || caller.IsCancellationRequested) return;
        if (!http.Response.HasStarted) await Late.WriteAsync(http);
        else if (http.Features.Get<JsonRequest>() is not null) GrpcAnswer.Append(http.Response, Late.Grpc, Late.Code, Late.Message);
        else http.Abort();
    }
}
