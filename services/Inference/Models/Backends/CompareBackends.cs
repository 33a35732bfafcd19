using MlOps.Inference.Predictions;
using MlOps.Numerics.Trees;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Models.Backends;

/// <summary>Measures two backends of one version on the same rows: whether they answer the same, and how fast.</summary>
internal sealed class CompareBackends(IModelBackend ours, IModelBackend onnx, TensorLayout[] outputs, ProbeRows probes)
{
    /// <summary>What relative difference still counts as the same answer.</summary>
    public const double Tolerance = 1e-6;
    private const int Singles = 24;
    private const int MostRows = 8192;
    private const int LeastRows = 256;
    private const long MostTreeVisits = 8_000_000;
    private const int Rounds = 5;
    private const int BatchRows = 256;
    private const int MostRowsOfRound = 4096;
    private static readonly TimeSpan Round = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan LongestWarmUp = TimeSpan.FromMilliseconds(150);

    private readonly OutputSlot[] _ours = [.. outputs.Select(layout => new OutputSlot(layout))];
    private readonly OutputSlot[] _onnx = [.. outputs.Select(layout => new OutputSlot(layout))];
    private readonly InputSlot[][] _singles = [.. Enumerable.Range(0, Singles).Select(seed => probes.Edgy(1, seed))];

    /// <returns>Rows compared, and the largest relative difference; infinite where shapes or labels differ.</returns>
    /// <exception cref="InvalidRequestException">MODEL_REFUSED_INPUT: the graph has no answer to the rows, so nothing is known.</exception>
    public (int Rows, double Difference) Differences(OnnxTrees trees)
    {
        var visits = Math.Max(1, trees.Targets.Sum(target => (long)target.Trees.Count));
        var most = Math.Clamp(MostTreeVisits / visits, LeastRows, MostRows);
        var batch = (int)Math.Clamp(probes.Edges + LeastRows, LeastRows, most);
        var largest = Difference(probes.Edgy(batch, Singles));
        foreach (var single in _singles) largest = Math.Max(largest, Difference(single));
        return (batch + Singles, largest);
    }

    /// <returns>
    /// ONNX Runtime's time over ours, for one row and for a batch: of the fastest of some rounds in turns each. 0 by a clock that
    /// stands still.
    /// </returns>
    public (double SingleRow, double Batch) Speedups(TimeProvider time)
    {
        InputSlot[][] batch = [probes.Edgy(BatchRows, Singles + 1)];
        WarmUp(_singles, time);
        WarmUp(batch, time);
        return (Speedup(_singles, time), Speedup(batch, time));
    }

    private double Speedup(InputSlot[][] calls, TimeProvider time)
    {
        var (best, bestOnnx) = (double.MaxValue, double.MaxValue);
        for (var round = 0; round < Rounds; round++)
        {
            bestOnnx = Math.Min(bestOnnx, TimeOf(onnx, _onnx, calls, time));
            best = Math.Min(best, TimeOf(ours, _ours, calls, time));
        }

        return best > 0 ? bestOnnx / best : 0;
    }

    // Until what was compiled in haste has been compiled well: the time no longer falls.
    private void WarmUp(InputSlot[][] calls, TimeProvider time)
    {
        var started = time.GetTimestamp();
        var best = double.MaxValue;
        for (var steady = 0; steady < 20 && time.GetElapsedTime(started) < LongestWarmUp;)
        {
            var taken = TimeOf(ours, _ours, calls, time);
            steady = taken < 0.9 * best ? 0 : steady + 1;
            best = Math.Min(best, taken);
        }

        TimeOf(onnx, _onnx, calls, time);
    }

    /// <returns>Ticks a call.</returns>
    private static double TimeOf(IModelBackend backend, OutputSlot[] outputs, InputSlot[][] calls, TimeProvider time)
    {
        var most = MostRowsOfRound / calls[0][0].Rows;
        var (count, started) = (0, time.GetTimestamp());
        TimeSpan elapsed;
        do
        {
            foreach (var call in calls) backend.Run(call, outputs);
            count += calls.Length;
            elapsed = time.GetElapsedTime(started);
        }
        while (elapsed < Round && count < most);
        return (double)elapsed.Ticks / count;
    }

    private double Difference(InputSlot[] rows)
    {
        onnx.Run(rows, _onnx);
        ours.Run(rows, _ours);
        var largest = 0.0;
        for (var i = 0; i < _ours.Length; i++) largest = Math.Max(largest, Difference(_ours[i], _onnx[i]));
        return largest;
    }

    private static double Difference(OutputSlot ours, OutputSlot theirs)
    {
        if (!ours.Shape.AsSpan().SequenceEqual(theirs.Shape)) return double.PositiveInfinity;
        if (!ours.Layout.Datatype.IsFloating)
        {
            if (!ours.Bytes.SequenceEqual(theirs.Bytes)) return double.PositiveInfinity;
            for (var i = 0; ours.Layout.Datatype.IsText && i < ours.Count; i++)
            {
                if (!ours.Text(i).SequenceEqual(theirs.Text(i))) return double.PositiveInfinity;
            }

            return 0;
        }

        var largest = 0.0;
        for (var i = 0; i < ours.Count; i++) largest = Math.Max(largest, Difference(ours.NumberAt(i), theirs.NumberAt(i)));
        return largest;
    }

    /// <summary>|a − b| / |b|; 0 for the same, infinite when one alone is NaN or infinite.</summary>
    public static double Difference(double a, double b) =>
        a.Equals(b) || a == b ? 0
        : double.IsFinite(a) && double.IsFinite(b) ? Math.Abs(a - b) / Math.Max(Math.Abs(b), float.Epsilon)
        : double.PositiveInfinity;
}
