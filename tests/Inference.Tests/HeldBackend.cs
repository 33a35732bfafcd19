using System.Runtime.InteropServices;
using MlOps.Inference.Models;
using MlOps.Inference.Models.Backends;
using MlOps.Inference.Predictions;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Tests;

/// <summary>Doubles its one column of FP32, run by run as a test lets it, and refuses a run with a negative number in it.</summary>
internal sealed class HeldBackend : IModelBackend
{
    private readonly SemaphoreSlim _go = new(0);
    private readonly List<float[]> _runs = [];

    public string Name => "held";

    /// <summary>The inputs of every run that was begun, in order.</summary>
    public IReadOnlyList<float[]> Runs
    {
        get
        {
            lock (_runs) return [.. _runs];
        }
    }

    /// <summary>A version that it computes.</summary>
    public static LoadedModel Serve(HeldBackend backend, ModelSettings settings) => new(
        "doubles", 1, "", settings, backend, [Column("x")], [Column("y")]);

    public void LetGo(int runs) => _go.Release(runs);

    public void Run(ReadOnlySpan<InputSlot> inputs, ReadOnlySpan<OutputSlot> outputs)
    {
        var values = MemoryMarshal.Cast<byte, float>(inputs[0].Bytes).ToArray();
        lock (_runs) _runs.Add(values);
        if (!_go.Wait(TimeSpan.FromSeconds(30))) throw new TimeoutException("The test never let the run go.");
        if (values.Any(v => v < 0)) throw new InvalidRequestException("MODEL_REFUSED_INPUT", "negative");
        var y = MemoryMarshal.Cast<byte, float>(outputs[0].Begin(inputs[0].Shape));
        for (var i = 0; i < values.Length; i++) y[i] = 2 * values[i];
    }

    public void Dispose() => _go.Dispose();

    // There is an FP32.
    private static TensorLayout Column(string name) => new(name, Datatype.Named("FP32")!, [-1, 1], isNullable: false);
}
