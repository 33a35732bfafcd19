using Grpc.Core;
using MlOps.Inference.Models;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Predictions;

/// <summary>Has another version answer a request that its own should not; the answer bears that version and the flag <c>fallback:3</c>.</summary>
internal sealed class Fallbacks(ModelHost host, TimeProvider time)
{
    /// <param name="workspace">The request; holds the version that stands in, with its inputs.</param>
    /// <param name="version">Number or alias of that version.</param>
    /// <param name="fill">Fills the other workspace.</param>
    /// <param name="ct">The caller gave up.</param>
    /// <returns>False: it is the version that was asked in the first place.</returns>
    /// <exception cref="ConflictException">FALLBACK_UNFIT: it has other outputs.</exception>
    /// <exception cref="RpcException">Unavailable, FALLBACK_UNAVAILABLE: there is no such version, or it is not ready.</exception>
    public async ValueTask<bool> TryStandInAsync(
        Workspace workspace, string version, Action<Workspace> fill, CancellationToken ct)
    {
        var model = workspace.Model;
        var lease = await AcquireAsync(model, version, ct);
        if (lease.Model.Version == model.Version)
        {
            lease.Dispose();
            return false;
        }

        var standIn = new StandIn(lease, lease.Model.RentWorkspace(time.GetTimestamp()));
        // From here on the request's workspace gives both back.
        workspace.StandIn = standIn;
        CheckOutputs(model, lease.Model);
        standIn.Workspace.Flags.AddRange(workspace.Flags);
        standIn.Workspace.Flags.Add($"fallback:{model.VersionText}");
        fill(standIn.Workspace);
        return true;
    }

    /// <summary>Copies the inputs the two have in common.</summary>
    /// <exception cref="ConflictException">FALLBACK_UNFIT: the other needs an input the request does not have like that.</exception>
    public static void Copy(Workspace from, Workspace to)
    {
        var violations = new Violations();
        foreach (var slot in to.Inputs)
        {
            var given = from.Find(slot.Layout.Name);
            if (given is null || given.Layout.Datatype != slot.Layout.Datatype || !slot.Layout.Fits(given.Shape))
            {
                throw Unfit(from.Model, to.Model, $"needs input '{slot.Layout.Name}', which the request does not have like that");
            }

            slot.CopyFrom(given, violations);
        }

        to.Check(violations);
    }

    private async ValueTask<ModelLease> AcquireAsync(LoadedModel model, string version, CancellationToken ct)
    {
        try
        {
            return await host.AcquireAsync(model.Model, version, ct);
        }
        catch (Exception e) when (e is NotFoundException or RpcException && !ct.IsCancellationRequested)
        {
            throw ModelUnavailable.Because(
                "FALLBACK_UNAVAILABLE",
                $"Version '{version}' of model '{model.Model}' is to answer instead of {model.Version}, and cannot: {(e as RpcException)?.Status.Detail ?? e.Message}");
        }
    }

    private static void CheckOutputs(LoadedModel model, LoadedModel other)
    {
        foreach (var output in model.Outputs)
        {
            if (Array.TrueForAll(other.Outputs, o => o.Name != output.Name || o.Datatype != output.Datatype))
            {
                throw Unfit(model, other, $"has no output '{output.Name}' of {output.Datatype.Name}");
            }
        }
    }

    public static ConflictException Unfit(LoadedModel model, LoadedModel other, string why) => new(
        "FALLBACK_UNFIT", $"Version {other.Version} of model '{model.Model}' is to answer instead of {model.Version}, but {why}.");
}
