using MlOps.Contracts.Registry.V1;
using MlOps.Contracts.Training.V1;
using MlOps.Training.Trainers;

namespace MlOps.Training.Runs;

/// <summary>The registry run that stands for a training run: parent of its trials and baselines, and the run the model version names.</summary>
internal static class ParentRun
{
    internal static CreateRunRequest Request(Guid trainingRun, Pipeline pipeline, ITrainer trainer)
    {
        var request = new CreateRunRequest
        {
            RunId = RegistryRunIds.ForTrainingRun(trainingRun),
            Experiment = pipeline.Experiment(),
            Name = $"{pipeline.Model} by {trainer.Name}",
            DatasetDigest = pipeline.DatasetDigest,
            Tags = { ["training_run_id"] = trainingRun.ToString("N") },
        };
        foreach (var (name, value) in RunEnvironment.Of(pipeline, trainer)) request.Tags[name] = value;
        return request;
    }
}
