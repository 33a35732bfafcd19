namespace MlOps.Training.Datasets;

/// <summary>
/// Encoded inputs of one part of the data. <c>Values</c>: Rows × Columns, row-major, float32; NaN marks a missing value.
/// <c>Labels</c>: one per row, in units of the label.
/// </summary>
internal sealed record DesignMatrix(float[] Values, int Rows, int Columns, float[] Labels)
{
    internal ReadOnlySpan<float> Row(int row) => Values.AsSpan(row * Columns, Columns);
}
