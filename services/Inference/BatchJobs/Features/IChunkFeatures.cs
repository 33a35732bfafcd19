using MlOps.Inference.BatchJobs.Rows;
using MlOps.Inference.Models;

namespace MlOps.Inference.BatchJobs.Features;

/// <summary>Fills the inputs that the rows do not carry, for one partition.</summary>
internal interface IChunkFeatures : IAsyncDisposable
{
    /// <param name="model">Whose inputs they are.</param>
    /// <param name="chunk">Rows that have been read; those whose features are missing where they must not be are marked bad.</param>
    /// <param name="refuse">Takes the place of a bad row in the chunk and the reason.</param>
    /// <param name="ct">Stops the work.</param>
    Task FillAsync(LoadedModel model, RowChunk chunk, Action<int, string> refuse, CancellationToken ct);
}
