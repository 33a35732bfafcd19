using MlOps.ServiceDefaults;
using Yarp.ReverseProxy.Transforms;

namespace MlOps.Gateway.Routes;

/// <summary>The platform's own credential goes with every forwarded request, and nothing that a client sends in its place.</summary>
internal sealed class PlatformCredentialHeader(PlatformCredential credential) : RequestTransform
{
    public override ValueTask ApplyAsync(RequestTransformContext context)
    {
        credential.AddTo(context.ProxyRequest);
        return ValueTask.CompletedTask;
    }
}
