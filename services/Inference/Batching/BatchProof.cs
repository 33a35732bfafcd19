using MlOps.Inference.Models;
using MlOps.Inference.Predictions;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Batching;

/// <summary>
/// Finds out at load whether rows of a version may share runs: runs probes alone and together and compares the bits, every
/// size up to the largest that is proven in the time there is, and measures what a row costs alone and together.
/// </summary>
internal static class BatchProof
{
    private const int TimedRuns = 15;
    private static readonly TimeSpan LongestTiming = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestProof = TimeSpan.FromSeconds(1);

    public static BatchVerdict Of(LoadedModel model, TimeProvider time)
    {
        var settings = model.Settings.Batching;
        if (settings.Mode == BatchMode.Off) return BatchVerdict.Alone("switched off");
        if (WhyUnfit(model) is { } unfit) return BatchVerdict.Alone(unfit);
        try
        {
            return Try(model, settings, time);
        }
        catch (InvalidRequestException e)
        {
            return BatchVerdict.Alone($"the model refuses the probes: {e.Message}");
        }
    }

    private static BatchVerdict Try(LoadedModel model, BatchSettings settings, TimeProvider time)
    {
        var alone = Best(model, 1, time);
        var together = Best(model, settings.MaxRows, time);
        var rowCost = TimeSpan.FromTicks(Math.Max(0, (together - alone).Ticks) / (settings.MaxRows - 1));
        var inBatch = together / settings.MaxRows;
        var costs = $"a row takes {alone.TotalMicroseconds:0.0} µs alone and {inBatch.TotalMicroseconds:0.0} µs among {settings.MaxRows}";
        if (settings.Mode == BatchMode.Auto && settings.MinGain > TimeSpan.Zero && alone - inBatch < settings.MinGain)
        {
            return BatchVerdict.Alone($"not worth it: {costs}");
        }

        var proven = Proven(model, settings.MaxRows, time);
        var verdict = new BatchVerdict(settings.MaxRows, true, costs, alone > rowCost ? alone - rowCost : TimeSpan.Zero, rowCost);
        if (proven.MaxRows == settings.MaxRows) return verdict;
        if (settings.Mode == BatchMode.On) return verdict with { IsEqual = false, Reason = $"{costs}; {proven.Reason}" };
        return proven.MaxRows < 2
            ? BatchVerdict.Alone(proven.Reason)
            : verdict with { MaxRows = proven.MaxRows, Reason = $"{costs}; {proven.Reason}" };
    }

    private static string? WhyUnfit(LoadedModel model)
    {
        foreach (var (kind, layouts) in ((string, TensorLayout[])[])[("input", model.Inputs), ("output", model.Outputs)])
        {
            foreach (var layout in layouts)
            {
                if (!layout.IsBatched) return $"{kind} '{layout.Name}' has no rows";
                if (layout.Shape.AsSpan(1).Contains(-1) && kind == "input") return $"input '{layout.Name}' varies in more than its rows";
            }
        }

        return null;
    }

    // The shortest of some runs: others may have been interrupted.
    private static TimeSpan Best(LoadedModel model, int rows, TimeProvider time)
    {
        using var workspace = model.RentWorkspace(0);
        BatchProbes.Fill(workspace, 0, rows);
        var (began, best) = (time.GetTimestamp(), TimeSpan.MaxValue);
        for (var i = 0; i < TimedRuns && (i < 2 || time.GetElapsedTime(began) < LongestTiming); i++)
        {
            var started = time.GetTimestamp();
            model.Backend.Run(workspace.Inputs, workspace.Outputs);
            var took = time.GetElapsedTime(started);
            if (took < best) best = took;
        }

        return best;
    }

    // Every size with rows of its own, so that each place sees another row each time.
    private static (int MaxRows, string Reason) Proven(LoadedModel model, int mostRows, TimeProvider time)
    {
        var began = time.GetTimestamp();
        for (var (rows, first) = (2, 0); rows <= mostRows; first += rows++)
        {
            if (rows > 2 && time.GetElapsedTime(began) > LongestProof)
            {
                return (rows - 1, $"larger batches were not proven equal within {LongestProof.TotalSeconds:0} s");
            }

            using var whole = model.RentWorkspace(0);
            BatchProbes.Fill(whole, first, rows);
            model.Backend.Run(whole.Inputs, whole.Outputs);
            for (var row = 0; row < rows; row++)
            {
                using var alone = model.RentWorkspace(0);
                BatchProbes.Fill(alone, first + row, 1);
                model.Backend.Run(alone.Inputs, alone.Outputs);
                if (Differing(whole, rows, row, alone) is { } output)
                {
                    return (rows - 1, $"output '{output}' of a row among {rows} is not the same to the bit as alone");
                }
            }
        }

        return (mostRows, "");
    }

    private static string? Differing(Workspace whole, int rows, int row, Workspace alone)
    {
        for (var i = 0; i < whole.Outputs.Length; i++)
        {
            var (output, expected) = (whole.Outputs[i], alone.Outputs[i]);
            if (output.Shape.Length == 0 || output.Shape[0] != rows || expected.Shape[0] != 1) return output.Layout.Name;
            using var part = alone.Model.RentWorkspace(0);
            part.Outputs[i].TakeRows(output, row, 1);
            if (!part.Outputs[i].HasBitsOf(expected)) return output.Layout.Name;
        }

        return null;
    }
}
