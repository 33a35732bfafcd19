using System.Diagnostics;
using Grpc.Core;
using MlOps.Gateway.Access.Limits;
using MlOps.Gateway.Audit;
using MlOps.Gateway.Routes;

namespace MlOps.Gateway.Access;

/// <summary>
/// The door: a request goes on only when its caller is known and has the right its line of the table asks for. A gRPC call
/// of one who has it for some models only goes on to be judged by the model it names.
/// </summary>
internal sealed partial class AccessMiddleware(
    RequestDelegate next, AccessRules rules, Authenticator authenticator, RateLimits limits, AuditRequests audit,
    GatewayMetrics metrics, ILogger<AccessMiddleware> logger)
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
        if (caller == Caller.Anonymous && rule is not { Changes: true }) return next(http);

        http.Features.Set(caller);
        if (Activity.Current is { IsAllDataRequested: true } span) span.SetTag("enduser.id", caller.Name);
        if (rule is null) return RefuseAsync(http, NotListed(http));
        var name = NameIn(http, rule, model);
        if (!IsAllowed(rule, name, caller))
        {
            LogRefused(caller.Name, http.Request.Method, http.Request.Path);
            return rule.Changes
                ? DenyAsync(http, new AuditedRequest(rule.Route, caller.Name, name.ToString()), Denied(caller, rule))
                : RefuseAsync(http, Denied(caller, rule));
        }

        var limit = limits.Of(caller);
        if (rule is { IsGrpc: true, About: About.Model })
        {
            // Its messages name the model; GuardedForwarding and GuardedCalls judge and count them, and the audit has it from there.
            if (rule.Changes || limit is not null || !caller.MayEverywhere(rule.Needs))
                http.Features.Set(new GuardedCall(rule, rules.FieldOf(rule), caller, limits));
        }
        else if (limit is not null && limits.Take(caller, limit, name) is { } refusal)
        {
            return RefuseAsync(http, refusal);
        }

        return rule.Changes
            ? audit.RunAsync(http, new AuditedRequest(rule.Route, caller.Name, name.ToString()), next)
            : next(http);
    }

    private async Task DenyAsync(HttpContext http, AuditedRequest request, Refusal refusal)
    {
        await audit.DenyAsync(request, refusal.Code);
        await RefuseAsync(http, refusal);
    }

    private static bool IsAllowed(AccessRule rule, ReadOnlySpan<char> model, Caller caller) => rule.About switch
    {
        About.Platform => caller.MayEverywhere(rule.Needs),
        About.Model when !rule.IsGrpc => caller.May(rule.Needs, model),
        _ => caller.MaySomewhere(rule.Needs),
    };

    private static ReadOnlySpan<char> NameIn(HttpContext http, AccessRule rule, Range model) =>
        rule.About != About.Model || rule.IsGrpc ? default
        : model.Equals(default) ? Named(http)
        : http.Request.Path.Value.AsSpan()[model];

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
