using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using MlOps.Numerics.Onnx;

namespace MlOps.Training.Evaluation;

/// <summary>Runs an exported graph as serving does (ONNX Runtime, one thread) beside the trainer's own predictions.</summary>
internal sealed class OnnxCheck : IDisposable
{
    // Bounds the memory of a check; the graph's answer does not depend on it.
    private const int BatchRows = 4096;

    private readonly Microsoft.ML.OnnxRuntime.SessionOptions _options = new() { IntraOpNumThreads = 1, InterOpNumThreads = 1 };
    private readonly InferenceSession _session;

    internal OnnxCheck(byte[] graph) => _session = new InferenceSession(graph, _options);

    /// <summary>One prediction per row.</summary>
    internal float[] Predict(IReadOnlyList<RawColumn> columns, int batchRows = BatchRows)
    {
        var predictions = new float[columns[0].Length];
        for (var from = 0; from < predictions.Length; from += batchRows)
        {
            var rows = Math.Min(batchRows, predictions.Length - from);
            using var outputs = _session.Run([.. columns.Select(column => Tensor(column, from, rows))]);
            var batch = outputs.First(output => output.Name == TabularModel.OutputName).AsTensor<float>();
            for (var row = 0; row < rows; row++) predictions[from + row] = batch[row, 0];
        }
        return predictions;
    }

    public void Dispose()
    {
        _session.Dispose();
        _options.Dispose();
    }

    private static NamedOnnxValue Tensor(RawColumn column, int from, int rows) => column switch
    {
        NumericColumn numbers => NamedOnnxValue.CreateFromTensor(
            column.Name, new DenseTensor<float>(numbers.Values.AsMemory(from, rows), [rows, 1])),
        TextColumn texts => NamedOnnxValue.CreateFromTensor(
            column.Name, new DenseTensor<string>(Array.ConvertAll(texts.Values[from..(from + rows)], text => text ?? ""), [rows, 1])),
        _ => throw new NotSupportedException($"Column '{column.Name}' is neither numbers nor text."),
    };
}
