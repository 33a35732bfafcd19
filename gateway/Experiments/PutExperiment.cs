using MlOps.Gateway.Splits;
using MlOps.ServiceDefaults;

namespace MlOps.Gateway.Experiments;

/// <summary>Declares an experiment, or replaces one that is still a draft; deletes it as long as it is one.</summary>
internal sealed class PutExperiment(ExperimentChanges changes)
{
    /// <summary>Expected is the revision the caller saw, 0 for whatever it is.</summary>
    /// <exception cref="InvalidRequestException">EXPERIMENT_INVALID, with every broken rule.</exception>
    /// <exception cref="ConflictException">EXPERIMENT_BEGUN: what has begun is not changed. EXPERIMENT_CHANGED.</exception>
    public async Task<Experiment> RunAsync(
        string name, string model, ExperimentPlan plan, long expected, string actor, string reason, CancellationToken ct)
    {
        var violations = new Violations();
        violations.CheckExperiment(name, model, plan);
        violations.CheckReason(actor, reason);
        violations.ThrowIfAny("EXPERIMENT_INVALID");
        return await changes.MakeAsync(
            name, expected, actor, reason,
            async (transaction, before, at) =>
            {
                ThrowIfBegun(before);
                var after = new Experiment(
                    name, model, ExperimentState.Draft, (before?.Revision ?? 0) + 1, plan, before?.CreatedAt ?? at, at);
                await ExperimentRows.WriteAsync(transaction, after, ct);
                return after;
            },
            ct) ?? throw new InvalidOperationException("An experiment put is an experiment kept.");
    }

    /// <exception cref="NotFoundException">EXPERIMENT_NOT_FOUND.</exception>
    /// <exception cref="ConflictException">EXPERIMENT_BEGUN, EXPERIMENT_CHANGED.</exception>
    public Task DeleteAsync(string name, long expected, string actor, string reason, CancellationToken ct)
    {
        var violations = new Violations();
        violations.CheckReason(actor, reason);
        violations.ThrowIfAny("EXPERIMENT_INVALID");
        return changes.MakeAsync(
            name, expected, actor, reason,
            async (transaction, before, _) =>
            {
                if (before is null) throw ListExperiments.NotFound(name);
                ThrowIfBegun(before);
                await transaction.ExecuteAsync("delete from experiment where name = $1", [name], ct);
                return null;
            },
            ct);
    }

    private static void ThrowIfBegun(Experiment? experiment)
    {
        if (experiment is { State: not ExperimentState.Draft })
        {
            throw new ConflictException(
                "EXPERIMENT_BEGUN", $"The experiment {experiment.Name} is {experiment.State}; only a draft is changed or deleted, so that what was asked stays.");
        }
    }
}
