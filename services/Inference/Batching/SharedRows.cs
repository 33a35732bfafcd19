using MlOps.Inference.Predictions;

namespace MlOps.Inference.Batching;

/// <summary>Puts the rows of several requests into one, and what came of them back.</summary>
internal static class SharedRows
{
    /// <param name="parts">Checked inputs, alike in all sizes but the first.</param>
    /// <param name="rows">Of all.</param>
    /// <param name="whole">Takes them, one request after another.</param>
    public static void Join(IReadOnlyList<Workspace> parts, int rows, Workspace whole)
    {
        for (var i = 0; i < whole.Inputs.Length; i++)
        {
            whole.Inputs[i].BeginLike(parts[0].Inputs[i], rows);
            foreach (var part in parts) whole.Inputs[i].AppendAll(part.Inputs[i]);
        }
    }

    /// <returns>False, with nothing parted: an output has not one entry per row.</returns>
    public static bool TryPart(Workspace whole, int rows, IReadOnlyList<Workspace> parts)
    {
        foreach (var output in whole.Outputs)
        {
            if (output.Shape.Length == 0 || output.Shape[0] != rows) return false;
        }

        for (var i = 0; i < whole.Outputs.Length; i++)
        {
            var from = 0;
            foreach (var part in parts)
            {
                part.Outputs[i].TakeRows(whole.Outputs[i], from, part.Rows);
                from += part.Rows;
            }
        }

        return true;
    }
}
