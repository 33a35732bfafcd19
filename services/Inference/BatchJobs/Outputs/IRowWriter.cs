using MlOps.Inference.BatchJobs.Rows;
using MlOps.Inference.Predictions;

namespace MlOps.Inference.BatchJobs.Outputs;

/// <summary>Writes scored rows as text.</summary>
internal interface IRowWriter
{
    /// <summary>What stands before the first row of a file; empty: nothing.</summary>
    ReadOnlyMemory<byte> Header { get; }

    /// <param name="text">Takes the row.</param>
    /// <param name="chunk">Where the row came from.</param>
    /// <param name="row">Its place there.</param>
    /// <param name="outputs">What the model answered.</param>
    /// <param name="at">The row's place in that.</param>
    /// <param name="predictionId">Empty: it is not in the log.</param>
    void Write(OutputText text, RowChunk chunk, int row, ReadOnlySpan<OutputSlot> outputs, int at, PredictionRowId predictionId);
}
