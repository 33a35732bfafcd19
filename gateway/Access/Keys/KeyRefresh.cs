using Microsoft.Extensions.Options;
using MlOps.Gateway.Revisions;

namespace MlOps.Gateway.Access.Keys;

/// <summary>Keeps this replica's keys fresh; while PostgreSQL is away they go on expiring.</summary>
internal sealed class KeyRefresh(KeyBook book, IOptions<AccessOptions> options, TimeProvider time, ILogger<KeyRefresh> logger)
    : RefreshCopy<KeyBook>(book, "keys", options.Value.KeyCheckInterval, time, logger)
{
    public override async Task StartingAsync(CancellationToken cancellationToken)
    {
        Copy.AddConfigured();
        await base.StartingAsync(cancellationToken);
        if (options.Value is { Mode: AccessMode.Closed, Oidc.IsConfigured: false } && !Copy.Current.AnyActive(Time.GetUtcNow()))
        {
            throw new InvalidOperationException(
                "Access:Mode is Closed and there is no key to get in with. Set Access__AdminKey to one (docs/access.md says how to make it), or Access__Oidc__Issuer to whose tokens are taken.");
        }
    }
}
