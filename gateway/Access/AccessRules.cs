using System.Collections.Frozen;
using Yarp.ReverseProxy.Model;
using ServiceDescriptor = Google.Protobuf.Reflection.ServiceDescriptor;

namespace MlOps.Gateway.Access;

/// <summary>The table made ready for requests.</summary>
internal sealed class AccessRules
{
    // What only says that there is nothing: unknown paths and calls, methods a path does not take.
    private static readonly AccessRule Nothing = new("GET /", Right.None, About.Shared, Changes: false);

    private readonly FrozenDictionary<string, AccessRule> _calls;
    private readonly FrozenDictionary<string, ModelField> _fields;
    private readonly FrozenDictionary<(string, string), AccessRule> _routes;
    private readonly RouteTree _tree;

    /// <param name="table">The lines.</param>
    /// <param name="services">Of the calls that name a model.</param>
    public AccessRules(IReadOnlyList<AccessRule> table, IEnumerable<ServiceDescriptor> services)
    {
        var methods = services.SelectMany(s => s.Methods).ToDictionary(m => $"/{m.Service.FullName}/{m.Name}");
        _calls = table.Where(r => r.IsGrpc).ToFrozenDictionary(r => r.Route, StringComparer.Ordinal);
        _fields = table.Where(r => r.ModelField.Length > 0)
            .ToFrozenDictionary(r => r.Route, r => new ModelField(methods[r.Route].InputType, r.ModelField), StringComparer.Ordinal);
        _routes = table.Where(r => !r.IsGrpc).ToFrozenDictionary(r => (r.Method, r.Pattern));
        _tree = new RouteTree(table);
    }

    /// <summary>The line for a request that has been routed; null: not listed. The range is the model's place in the path.</summary>
    public AccessRule? Find(HttpContext http, out Range model)
    {
        var path = http.Request.Path.Value ?? "/";
        model = default;
        if (_calls.TryGetValue(path, out var call)) return call;

        // Of a service's surface the gateway routes whole branches, so the path itself tells which leaf is meant.
        var isListed = _tree.TryFind(http.Request.Method, path, out var rule, out model);
        return http.GetEndpoint() switch
        {
            RouteEndpoint endpoint when IsForwarded(endpoint) => rule,
            RouteEndpoint endpoint when isListed && PatternOf(endpoint) == rule?.Pattern => rule,
            RouteEndpoint endpoint when !IsNothing(PatternOf(endpoint)) => null,
            // Nothing is there, or routing itself answers that it is asked for in the wrong way.
            _ => rule ?? Nothing,
        };
    }

    /// <summary>Where the requests of a call that is about a model name it.</summary>
    public ModelField FieldOf(AccessRule rule) => _fields[rule.Route];

    /// <summary>The line of a gateway's own endpoint, by its pattern; null: not listed.</summary>
    public AccessRule? Find(string method, string pattern) =>
        _routes.GetValueOrDefault((method, pattern)) ?? _calls.GetValueOrDefault(pattern);

    // The fallback, and the answers of gRPC to services and methods that are not there.
    internal static bool IsNothing(string pattern) =>
        pattern.EndsWith("{*path}", StringComparison.Ordinal) || pattern.Contains("{unimplementedMethod", StringComparison.Ordinal);

    internal static bool IsForwarded(Endpoint endpoint) => endpoint.Metadata.GetMetadata<RouteModel>() is not null;

    internal static string PatternOf(RouteEndpoint endpoint)
    {
        var text = endpoint.RoutePattern.RawText ?? "";
        return "/" + text.Trim('/');
    }
}
