using System.Diagnostics;
using Grpc.Core;
using MlOps.Gateway.Routes;

namespace MlOps.Gateway.Access;

/// <summary>
/// The door: a request goes on only when its caller is known and has the right its line of the table asks for. A gRPC call
/// of one who has it for some models only goes on to be judged by the model it names.
/// </summary>
internal sealed partial class AccessMiddleware(
    RequestDelegate next, AccessRules rules, Authenticator authenticator, GatewayMetrics metrics, ILogger<AccessMiddleware> logger)
{
    public Task InvokeAsync(HttpContext http)
    {
        var rule = rules.Find(http, out var model);
        if (rule is { IsPublic: true }) return next(http);

        var identity = authenticator.IdentifyAsync(http);
        return identity.IsCompletedSuccessfully
            ? PassAsync(http, rule, model, identity.Result)
            : AwaitAsync(http, rule, model, identity);
    }

    private async Task AwaitAsync(HttpContext http, AccessRule? rule, Range model, ValueTask<Identity> identity) =>
        await PassAsync(http, rule, model, await identity);

    private Task PassAsync(HttpContext http, AccessRule? rule, Range model, Identity identity)
    {
        if (identity.Caller is not { } caller) return RefuseAsync(http, identity.Refusal!); // one of the two is there
        if (caller == Caller.Anonymous) return next(http);

        http.Features.Set(caller);
        if (Activity.Current is { IsAllDataRequested: true } span) span.SetTag("enduser.id", caller.Name);
        if (rule is null) return RefuseAsync(http, NotListed(http));
        if (!IsAllowed(http, rule, model, caller))
        {
            LogRefused(caller.Name, http.Request.Method, http.Request.Path);
            return RefuseAsync(http, Denied(caller, rule));
        }

        return next(http);
    }

    private bool IsAllowed(HttpContext http, AccessRule rule, Range model, Caller caller)
    {
        if (caller.MayEverywhere(rule.Needs)) return true;
        switch (rule.About)
        {
            case About.Platform:
                return false;
            case About.Shared:
                return caller.MaySomewhere(rule.Needs);
            case About.Model when rule.IsGrpc:
                if (!caller.MaySomewhere(rule.Needs)) return false;
                // Its message names the model; GuardedForwarding and GuardedCalls judge it.
                http.Features.Set(new GuardedCall(rule, rules.FieldOf(rule), caller));
                return true;
            default:
                var path = http.Request.Path.Value.AsSpan();
                return caller.May(rule.Needs, model.Equals(default) ? Named(http) : path[model]);
        }
    }

    // Two names in one header are none.
    private static ReadOnlySpan<char> Named(HttpContext http) =>
        http.Request.Headers[AccessTable.ModelHeader] is { Count: 1 } one ? one[0] : default;

    private Task RefuseAsync(HttpContext http, Refusal refusal)
    {
        metrics.Refused.Add(1, new KeyValuePair<string, object?>("code", refusal.Code));
        return refusal.WriteAsync(http);
    }

    private static Refusal NotListed(HttpContext http) => new(
        StatusCode.PermissionDenied, StatusCodes.Status403Forbidden, "ROUTE_NOT_LISTED",
        $"{http.Request.Method} {http.Request.Path} is open to no role.");

    internal static Refusal Denied(Caller caller, AccessRule rule)
    {
        var roles = string.Join(" or ", Role.All.Where(r => (r.Rights & rule.Needs) != 0).Select(r => r.Name));
        var over = rule.About switch
        {
            About.Platform => " over the whole platform (*)",
            About.Model => " over the model",
            _ => "",
        };
        return new Refusal(
            StatusCode.PermissionDenied, StatusCodes.Status403Forbidden, "PERMISSION_DENIED",
            $"{caller.Name} may not do this: it takes the role {roles}{over}.");
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Caller} may not {Method} {Path}")]
    private partial void LogRefused(string caller, string method, PathString path);
}
