using MlOps.Gateway.Experiments.Bandit;
using MlOps.Gateway.Experiments.Readouts;
using MlOps.ServiceDefaults;

namespace MlOps.Gateway.Experiments;

/// <summary>
/// What an experiment does by itself at a look: it ends when its stop rule has found something, or moves its weights where they follow
/// the results.
/// </summary>
internal sealed class ActOnExperiment(
    ListExperiments experiments, GatherEvidence gather, ReadExperiment read, EndExperiment end, MoveWeights move)
{
    /// <exception cref="DomainException">Somebody changed it meanwhile, or what it needs is taken.</exception>
    /// <exception cref="Grpc.Core.RpcException">Monitoring's answer.</exception>
    public async Task RunAsync(string name, CancellationToken ct)
    {
        var experiment = await experiments.GetAsync(name, ct);
        if (!experiment.Plan.Stop.IsAutomatic && experiment.Plan.Thompson is null) return;
        var evidence = await gather.RunAsync(experiment, ct);
        var readout = read.Of(experiment, evidence);
        if (experiment.Plan.Stop.IsAutomatic && readout.Stop.IsFound) await end.ByRuleAsync(experiment, readout, ct);
        // What cannot be trusted is nothing to follow.
        else if (readout.IsValid) await move.RunAsync(experiment, evidence, ct);
    }
}
