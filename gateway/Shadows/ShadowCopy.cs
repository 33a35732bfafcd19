using Microsoft.Extensions.Primitives;

namespace MlOps.Gateway.Shadows;

/// <summary>A request that was answered, whole, to be sent again to each of its shadows. Its bytes are in the budget until all are done.</summary>
internal sealed class ShadowCopy(HttpContext http, bool isGrpc, byte[] body, string shadowOf, bool hasLiveAnswered, ShadowBudget budget, int shadows)
{
    // What says how the body is to be read, and whose request it is.
    private static readonly string[] Passed =
    [
        "content-type", "content-encoding", "inference-header-content-length", "grpc-encoding", Splits.TrafficPolicy.DefaultSubjectHeader,
        Splits.SplitHeaders.Model,
    ];

    private int _left = shadows;

    public bool IsGrpc => isGrpc;

    public byte[] Body => body;

    /// <summary>32 hex digits: the live prediction.</summary>
    public string ShadowOf => shadowOf;

    public bool HasLiveAnswered => hasLiveAnswered;

    public string PathAndQuery { get; } = $"{http.Request.Path}{http.Request.QueryString}";

    public KeyValuePair<string, StringValues>[] Headers { get; } =
        [.. Passed.Where(http.Request.Headers.ContainsKey).Select(name => KeyValuePair.Create(name, http.Request.Headers[name]))];

    /// <summary>One of its shadows needs it no more.</summary>
    public void LetGo()
    {
        if (Interlocked.Decrement(ref _left) == 0) budget.Give(body.Length);
    }
}
