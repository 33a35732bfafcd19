namespace MlOps.Inference.Predictions;

/// <summary>Copies rows of one request's values into another's.</summary>
internal static class WorkspaceRows
{
    /// <summary>Takes these rows' inputs, in this order, in place of what there was.</summary>
    public static void TakeInputs(this Workspace workspace, Workspace from, ReadOnlySpan<int> rows)
    {
        for (var i = 0; i < from.Inputs.Length; i++)
        {
            var (source, target) = (from.Inputs[i], workspace.Inputs[i]);
            var width = source.Layout.RowWidth;
            target.BeginRows(rows.Length);
            for (var at = 0; at < rows.Length; at++)
            {
                if (source.Layout.Datatype.IsText)
                {
                    for (var j = 0; j < width; j++) target.TryAppendText(source.Text((rows[at] * width) + j));
                }
                else
                {
                    var size = width * source.Layout.Datatype.Size;
                    target.Set(at * size, source.Bytes.Slice(rows[at] * size, size));
                }
            }

            target.EndRows(rows.Length);
        }
    }

    /// <summary>Takes these rows' outputs, in this order.</summary>
    public static void TakeOutputs(this Workspace workspace, ReadOnlySpan<OutputSlot> from, int fromRows, ReadOnlySpan<int> rows)
    {
        for (var i = 0; i < from.Length; i++)
        {
            var (source, target) = (from[i], workspace.Outputs[i]);
            var width = source.Count / fromRows;
            var size = width * source.Layout.Datatype.Size;
            var values = target.Begin([rows.Length, width]);
            for (var at = 0; at < rows.Length; at++)
            {
                if (source.Layout.Datatype.IsText)
                {
                    for (var j = 0; j < width; j++) target.AppendText(source.Text((rows[at] * width) + j));
                }
                else
                {
                    source.Bytes.Slice(rows[at] * size, size).CopyTo(values[(at * size)..]);
                }
            }
        }
    }
}
