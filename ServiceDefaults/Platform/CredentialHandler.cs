namespace MlOps.ServiceDefaults.Platform;

/// <summary>Sends the platform's credential with every call of a client.</summary>
internal sealed class CredentialHandler(PlatformCredential credential) : DelegatingHandler
{
    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        credential.AddTo(request);
        return base.SendAsync(request, cancellationToken);
    }
}
