using System.Runtime.InteropServices;
using System.Text;
using MlOps.Inference.Models;
using MlOps.Inference.Predictions;

namespace MlOps.Inference.Explanations;

/// <summary>An explanation as tensors behind a model's outputs.</summary>
internal static class ExplanationSlots
{
    public const string Contributions = "explanation.contributions";
    public const string Bias = "explanation.bias";
    public const string Names = "explanation.names";
    public const string StandardErrors = "explanation.standard_errors";
    private static readonly Datatype Fp64 = Datatype.Named("FP64")!; // One of the protocol's.
    private static readonly Datatype Bytes = Datatype.Named("BYTES")!;

    /// <summary>
    /// FP64 contributions [rows, values], FP64 bias [rows], BYTES names [values]; of a sampled one FP64 standard errors
    /// [rows, values] as well.
    /// </summary>
    public static OutputSlot[] Of(Explanation? explanation)
    {
        if (explanation is null) return [];
        var width = explanation.Names.Count;
        var names = new OutputSlot(new TensorLayout(Names, Bytes, [width], isNullable: false));
        names.Begin([width]);
        foreach (var name in explanation.Names) names.AppendText(Encoding.UTF8.GetBytes(name));
        var contributions = Matrix(Contributions, explanation, row => row.Contributions);
        var bias = new OutputSlot(new TensorLayout(Bias, Fp64, [-1], isNullable: false));
        var to = MemoryMarshal.Cast<byte, double>(bias.Begin([explanation.Rows.Count]));
        for (var row = 0; row < to.Length; row++) to[row] = explanation.Rows[row].Bias;
        return explanation.Samples == 0
            ? [contributions, bias, names]
            : [contributions, bias, names, Matrix(StandardErrors, explanation, row => row.StandardErrors)];
    }

    private static OutputSlot Matrix(string name, Explanation explanation, Func<RowExplanation, double[]> select)
    {
        var (rows, width) = (explanation.Rows.Count, explanation.Names.Count);
        var slot = new OutputSlot(new TensorLayout(name, Fp64, [-1, width], isNullable: false));
        var to = MemoryMarshal.Cast<byte, double>(slot.Begin([rows, width]));
        for (var row = 0; row < rows; row++) select(explanation.Rows[row]).CopyTo(to[(row * width)..]);
        return slot;
    }
}
