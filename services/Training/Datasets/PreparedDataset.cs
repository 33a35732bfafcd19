using MlOps.Numerics.Onnx;

namespace MlOps.Training.Datasets;

/// <summary>
/// A snapshot split by time and encoded as one pipeline and one kind of trainer want it; shared, not to be written to.
/// <c>Inputs</c> is the encoding, learned from the training part alone; the columns are raw, as they are served.
/// </summary>
internal sealed record PreparedDataset(
    IReadOnlyList<TabularInput> Inputs,
    DesignMatrix Train,
    DesignMatrix Validation,
    DesignMatrix Test,
    IReadOnlyList<RawColumn> TrainColumns,
    IReadOnlyList<RawColumn> TestColumns);
