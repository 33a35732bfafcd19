using System.Globalization;
using System.Runtime.InteropServices;
using MlOps.Contracts.Training.V1;
using MlOps.Training.Trainers;

namespace MlOps.Training.Runs;

/// <summary>What a run was made with, as far as it may matter to whoever makes it again.</summary>
internal static class RunEnvironment
{
    internal static Dictionary<string, string> Of(Pipeline pipeline, ITrainer trainer) => new()
    {
        ["trainer"] = trainer.Name,
        ["trainer_version"] = trainer.Note,
        ["runtime"] = RuntimeInformation.FrameworkDescription,
        ["os"] = RuntimeInformation.OSDescription,
        ["architecture"] = RuntimeInformation.ProcessArchitecture.ToString(),
        ["code_version"] = pipeline.CodeVersion,
        ["service_version"] = typeof(RunEnvironment).Assembly.GetName().Version?.ToString(3) ?? "",
        ["seed"] = pipeline.Seed.ToString(CultureInfo.InvariantCulture),
    };

    /// <summary>The experiment the pipeline's runs are recorded in.</summary>
    internal static string Experiment(this Pipeline pipeline) =>
        pipeline.Experiment.Length > 0 ? pipeline.Experiment : pipeline.Model;
}
