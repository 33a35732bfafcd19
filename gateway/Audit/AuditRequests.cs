using System.Globalization;
using Grpc.Core;
using Microsoft.AspNetCore.Http.Features;
using MlOps.Gateway.Access;
using MlOps.Gateway.Routes;
using MlOps.ServiceDefaults;

namespace MlOps.Gateway.Audit;

/// <summary>
/// Has every request that changes something in the audit, with its outcome: a change of the gateway's own by the
/// transaction that makes it; one of a service behind it by an entry that is durable before the service is asked.
/// </summary>
internal sealed class AuditRequests(AuditTrail trail, TimeProvider time)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    public async Task RunAsync(HttpContext http, AuditedRequest request, RequestDelegate next)
    {
        http.Features.Set(request);
        AuditedRequest.Current = request;
        try
        {
            await next(http);
        }
        catch (Exception e)
        {
            var (how, why) = e is DomainException refusal ? ("refused", refusal.Code) : ("failed", "INTERNAL");
            await EndAsync(http, request, how, why);
            throw;
        }

        var (outcome, code) = OutcomeOf(http);
        // What was written with a change that then failed went with it.
        if (!request.IsWritten || outcome != "done") await EndAsync(http, request, outcome, code);
    }

    /// <summary>Notes what was asked for by one who may not.</summary>
    public Task DenyAsync(AuditedRequest request, string code) =>
        trail.EndAsync(request.Draft(time.GetUtcNow(), "denied", code), Patience);

    /// <summary>
    /// Notes that a service is about to be asked. Null: it is durable. What cannot be audited is not done.
    /// </summary>
    public async Task<Refusal?> BeginAsync(HttpContext http, AuditedRequest request)
    {
        if (http.Features.Get<GuardedCall>()?.Model is { } named) request.Model = named;
        try
        {
            request.Begun = await trail.AppendAsync(request.Draft(time.GetUtcNow(), "begun", ""), http.RequestAborted);
            return null;
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            return new Refusal(
                StatusCode.Unavailable, StatusCodes.Status503ServiceUnavailable, "AUDIT_UNAVAILABLE",
                "The audit cannot be written, so nothing is changed; try again.")
            {
                RetryAfter = TimeSpan.FromSeconds(5),
            };
        }
    }

    private Task EndAsync(HttpContext http, AuditedRequest request, string outcome, string code)
    {
        if (request.Begun == 0 && http.Features.Get<GuardedCall>()?.Model is { } named) request.Model = named;
        return trail.EndAsync(request.Draft(time.GetUtcNow(), outcome, code), Patience);
    }

    private static (string Outcome, string Code) OutcomeOf(HttpContext http)
    {
        if (http.RequestAborted.IsCancellationRequested) return ("failed", "CANCELLED");
        if (!GrpcAnswer.IsGrpc(http.Request))
        {
            var status = http.Response.StatusCode;
            return (
                status switch { < 400 => "done", 401 or 403 => "denied", < 500 => "refused", _ => "failed" },
                status.ToString(CultureInfo.InvariantCulture));
        }

        var grpc = int.TryParse(FieldOf(http, "grpc-status"), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? (StatusCode)number
            : StatusCode.Unknown;
        var outcome = grpc switch
        {
            StatusCode.OK => "done",
            StatusCode.PermissionDenied or StatusCode.Unauthenticated => "denied",
            StatusCode.Unavailable or StatusCode.Internal or StatusCode.Unknown or StatusCode.DeadlineExceeded
                or StatusCode.DataLoss or StatusCode.Cancelled => "failed",
            _ => "refused",
        };
        return (outcome, FieldOf(http, GrpcAnswer.CodeField) is { Length: > 0 } code ? AuditedRequest.Clean(code) : grpc.ToString());
    }

    // A status comes behind the messages, or, where there are none, in front.
    private static string FieldOf(HttpContext http, string name) =>
        http.Features.Get<IHttpResponseTrailersFeature>()?.Trailers is { } trailers && trailers.TryGetValue(name, out var behind)
            ? behind.ToString()
            : http.Response.Headers[name].ToString();
}

/// <summary>Asks a service for a change only once that is in the audit.</summary>
internal sealed class AuditedForwarding(RequestDelegate next, AuditRequests audit)
{
    public Task InvokeAsync(HttpContext http) =>
        http.Features.Get<AuditedRequest>() is { } request ? BeginAsync(http, request) : next(http);

    private async Task BeginAsync(HttpContext http, AuditedRequest request)
    {
        if (await audit.BeginAsync(http, request) is { } refusal) await refusal.WriteAsync(http);
        else await next(http);
    }
}
