using System.Diagnostics;
using Yarp.ReverseProxy.Transforms;

namespace MlOps.Gateway.Routes;

/// <summary>
/// Sends the trace context (W3C) on with a forwarded request. The HTTP client would do so too, but with a span of its own for every
/// request, recorded or not, beside those of the server and the forwarder.
/// </summary>
internal sealed class TraceContextHeaders : RequestTransform
{
    public override ValueTask ApplyAsync(RequestTransformContext context)
    {
        DistributedContextPropagator.Current.Inject(Activity.Current, context.ProxyRequest, static (carrier, name, value) =>
        {
            var headers = ((HttpRequestMessage)carrier!).Headers; // handed in above
            headers.Remove(name);
            headers.TryAddWithoutValidation(name, value);
        });
        return ValueTask.CompletedTask;
    }
}
