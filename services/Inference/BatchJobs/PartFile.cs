using System.Globalization;
using MlOps.Inference.BatchJobs.Inputs;

namespace MlOps.Inference.BatchJobs;

/// <summary>Names of a job's files.</summary>
internal static class PartFile
{
    public static string Folder(Guid job) => $"jobs/{job:N}";

    public static string Of(Guid job, int partition) => string.Create(CultureInfo.InvariantCulture, $"{Folder(job)}/{partition:D6}");

    public static string Result(Guid job, TextFormat format) => $"results/{job:N}.{format.Name()}";
}
