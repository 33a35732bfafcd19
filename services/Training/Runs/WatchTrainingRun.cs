using System.Runtime.CompilerServices;
using MlOps.Contracts.Training.V1;
using Npgsql;

namespace MlOps.Training.Runs;

/// <summary>The run now and after every change, until it ends; changes made by other replicas show within a second.</summary>
internal sealed class WatchTrainingRun(NpgsqlDataSource source, RunChanges changes, TimeProvider time)
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(1);

    /// <exception cref="ServiceDefaults.NotFoundException">TRAINING_RUN_UNKNOWN.</exception>
    internal async IAsyncEnumerable<TrainingRun> HandleAsync(string id, [EnumeratorCancellation] CancellationToken ct)
    {
        TrainingRun? shown = null;
        while (true)
        {
            var next = changes.Next;
            var run = await TrainingRunRows.GetAsync(source, id, ct);
            if (!run.Equals(shown)) yield return shown = run;
            // The last trials of a cancelled run may still be on their way out; they too are shown.
            if (run.HasEnded() && run.Trials.All(HasEnded)) yield break;
            await Task.WhenAny(next, Task.Delay(PollInterval, time, ct));
            ct.ThrowIfCancellationRequested();
        }
    }

    private static bool HasEnded(Trial trial) => trial.State is Trial.Types.State.Completed or Trial.Types.State.Failed;
}
