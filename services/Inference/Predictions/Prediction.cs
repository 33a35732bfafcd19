using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using MlOps.Inference.Models;

namespace MlOps.Inference.Predictions;

/// <summary>A computed and logged answer, not yet sent. Dispose frees its outputs.</summary>
internal sealed class Prediction(
    LoadedModel model, string id, int rows, IDisposableReadOnlyCollection<OrtValue> values, OutputTensor[] outputs) : IDisposable
{
    public LoadedModel Model => model;

    /// <summary>32 hex digits; row r is <c>id.r</c>.</summary>
    public string Id => id;

    public int Rows => rows;

    public ReadOnlySpan<OutputTensor> Outputs => outputs;

    /// <summary>Time to read the inputs.</summary>
    public required TimeSpan Preparation { get; init; }

    /// <summary>Time in the model.</summary>
    public required TimeSpan Computation { get; init; }

    /// <summary>Timestamp at which the model was done.</summary>
    public required long ComputedAt { get; init; }

    /// <summary>Counts the answer, which is written; also after Dispose.</summary>
    public void Answered(Call call, TimeProvider time)
    {
        var now = time.GetTimestamp();
        model.Counts.AddAnswer(
            time.GetUtcNow(), rows, time.GetElapsedTime(call.StartedAt, now), Preparation, Computation,
            time.GetElapsedTime(ComputedAt, now));
    }

    public void Dispose() => values.Dispose();
}

/// <summary>One output: row-major values of its datatype.</summary>
internal readonly struct OutputTensor(TensorLayout layout, OrtValue value, long[] shape)
{
    public TensorLayout Layout => layout;

    public long[] Shape => shape;

    public int Count { get; } = CountOf(shape);

    /// <summary>The values as bytes, native order; not for BYTES.</summary>
    public ReadOnlySpan<byte> Bytes => value.GetTensorMutableRawData();

    public ReadOnlySpan<byte> Text(int element) => value.GetStringElementAsSpan(element);

    public ReadOnlySpan<T> As<T>() where T : unmanaged => MemoryMarshal.Cast<byte, T>(Bytes);

    /// <summary>The value as a double; NaN for text.</summary>
    public double NumberAt(int i) => layout.Datatype.IsText ? double.NaN : Tensors.NumberAt(layout.Datatype, Bytes, i);

    private static int CountOf(long[] shape)
    {
        var count = 1L;
        foreach (var size in shape) count *= size;
        return checked((int)count);
    }
}
