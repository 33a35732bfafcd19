namespace MlOps.Gateway.Access;

/// <summary>What one route or call asks of its caller.</summary>
/// <param name="Route">As in <c>GET /v2/models/{model}</c>, or <c>/package.Service/Method</c> for a gRPC call.</param>
/// <param name="Needs">One of these rights; none: any caller who says who it is.</param>
/// <param name="About">Which models the right has to cover.</param>
/// <param name="Changes">Whether it changes something, and so is audited.</param>
internal sealed record AccessRule(string Route, Right Needs, About About, bool Changes)
{
    /// <summary>No caller is asked who it is.</summary>
    public bool IsPublic { get; init; }

    /// <summary>Where a gRPC request names the model, e.g. <c>pipeline.model</c>; empty on REST, where the route has it.</summary>
    public string ModelField { get; init; } = "";

    public bool IsGrpc => Route[0] == '/';

    /// <summary>GET, POST …; empty for a gRPC call.</summary>
    public string Method => IsGrpc ? "" : Route[..Route.IndexOf(' ', StringComparison.Ordinal)];

    /// <summary>The route without the method.</summary>
    public string Pattern => IsGrpc ? Route : Route[(Route.IndexOf(' ', StringComparison.Ordinal) + 1)..];
}

/// <summary>What a request is about, as far as it concerns access.</summary>
internal enum About
{
    /// <summary>The platform as a whole, or all models at once: the right must be granted for <c>*</c>.</summary>
    Platform,

    /// <summary>What the work on any model needs and no model owns, such as runs and data: the right may be granted for any model.</summary>
    Shared,

    /// <summary>One model, which the request names.</summary>
    Model,
}
