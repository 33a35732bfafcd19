using Yarp.ReverseProxy.Forwarder;
using Yarp.ReverseProxy.Transforms;

namespace MlOps.Gateway.Resilience;

/// <summary>
/// A service may answer before it has read the request, as one does that is overloaded or knows no such method. Its answer is
/// whole, but the forwarder reports the rest of the request, which nobody wanted any more, as a failure; that is none.
/// </summary>
internal sealed class EarlyAnswers(RequestDelegate next)
{
    public async Task InvokeAsync(HttpContext http)
    {
        await next(http);
        if (http.Features.Get<Answered>() is not null && http.Features.Get<IForwarderErrorFeature>() is { } failure
            && IsUnreadRest(failure) && !http.RequestAborted.IsCancellationRequested)
        {
            http.Features.Set<IForwarderErrorFeature>(null);
        }
    }

    /// <summary>A response transform: notes that the service has answered.</summary>
    public static ValueTask Note(ResponseTransformContext context)
    {
        if (context.ProxyResponse is not null) context.HttpContext.Features.Set(Answered.Yes);
        return ValueTask.CompletedTask;
    }

    private static bool IsUnreadRest(IForwarderErrorFeature failure) =>
        failure.Error is ForwarderError.RequestBodyClient or ForwarderError.RequestBodyCanceled or ForwarderError.RequestBodyDestination
        && failure.Exception is OperationCanceledException;

    private sealed class Answered
    {
        public static readonly Answered Yes = new();
    }
}
