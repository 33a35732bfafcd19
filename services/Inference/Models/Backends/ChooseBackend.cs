using MlOps.Numerics.Profiles;
using MlOps.Numerics.Trees;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Models.Backends;

/// <summary>
/// Chooses what computes a version: the evaluator of trees only where it was seen to answer within 1e-6 of ONNX Runtime on
/// all probes and, unless it was asked for, to be faster.
/// </summary>
internal static class ChooseBackend
{
    // Below it is noise, and the batches are what the evaluator is for.
    private const double LeastSingleRowSpeedup = 0.9;

    /// <param name="model">Name.</param>
    /// <param name="settings">The model's.</param>
    /// <param name="parts">The version's graph.</param>
    /// <param name="onnx">The whole graph; disposed when it is not what was chosen.</param>
    /// <param name="profile">What inputs looked like in training.</param>
    /// <param name="time">The clock of the measurement.</param>
    /// <exception cref="InvalidDataException">The evaluator was asked for and cannot compute the version; says why.</exception>
    public static (IModelBackend Backend, BackendChoice Choice) Of(
        string model, ModelSettings settings, GraphParts parts, OnnxBackend onnx, ReferenceProfile? profile, TimeProvider time)
    {
        if (settings.Backend == BackendKind.OnnxRuntime) return (onnx, new(OnnxBackend.OnnxRuntime, "asked for"));
        if (parts.Trees is not { } trees || parts.Graph is not { } graph) return Refuse(parts.WhyNoTrees);
        TreesBackend? ours = null;
        try
        {
            ours = new TreesBackend(TreesPlan.Make(model, graph, trees, settings.Onnx, parts.Inputs, parts.Outputs));
            var choice = Compare(settings, parts, trees, ours, onnx, profile, time);
            if (choice.Backend == OnnxBackend.OnnxRuntime)
            {
                ours.Dispose();
                return Refuse(choice.Reason, choice);
            }

            onnx.Dispose();
            return (ours, choice);
        }
        catch (Exception e) when (e is NotSupportedException or InvalidRequestException)
        {
            ours?.Dispose();
            return Refuse(e.Message);
        }
        catch
        {
            ours?.Dispose();
            throw;
        }

        (IModelBackend, BackendChoice) Refuse(string reason, BackendChoice? measured = null) => settings.Backend == BackendKind.Trees
            ? throw new InvalidDataException($"Backend Trees was asked for, and the evaluator cannot compute the graph: {reason}")
            : (onnx, measured ?? new(OnnxBackend.OnnxRuntime, reason));
    }

    private static BackendChoice Compare(
        ModelSettings settings, GraphParts parts, OnnxTrees trees, TreesBackend ours, OnnxBackend onnx, ReferenceProfile? profile, TimeProvider time)
    {
        var probes = new ProbeRows(parts.Inputs, profile, trees, parts.Features);
        var comparison = new CompareBackends(ours, onnx, parts.Outputs, probes);
        var (rows, difference) = comparison.Differences(trees);
        if (!ours.IsExact)
        {
            var (more, kernel) = CompareScores.Differences(trees, parts, ours.Scorer, settings.Onnx);
            (rows, difference) = (rows + more, Math.Max(difference, kernel));
        }

        var choice = new BackendChoice(TreesBackend.Trees, settings.Backend == BackendKind.Trees ? "asked for" : "measured to answer the same and faster")
        {
            Instructions = TreeEvaluator.Best.ToString(),
            OnnxRuntimeParts = ours.OnnxRuntimeParts,
            ComparedRows = rows,
            LargestDifference = difference,
        };
        if (difference > CompareBackends.Tolerance) return choice with { Backend = OnnxBackend.OnnxRuntime, Reason = $"the evaluator's answers differ by {difference:R} relative" };
        if (settings.Backend == BackendKind.Trees) return choice;
        var (single, batch) = comparison.Speedups(time);
        choice = choice with { SingleRowSpeedup = single, BatchSpeedup = batch };
        return single >= LeastSingleRowSpeedup && batch > 1 ? choice : choice with { Backend = OnnxBackend.OnnxRuntime, Reason = "the evaluator was not measured to be faster" };
    }
}
