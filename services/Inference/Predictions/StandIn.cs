using MlOps.Inference.Models;

namespace MlOps.Inference.Predictions;

/// <summary>Another version that answers a request in its own version's place; held as long as the request's workspace.</summary>
internal sealed class StandIn(ModelLease lease, Workspace workspace) : IDisposable
{
    public LoadedModel Model => lease.Model;

    /// <summary>Its checked inputs.</summary>
    public Workspace Workspace => workspace;

    public void Dispose()
    {
        workspace.Dispose();
        lease.Dispose();
    }
}
