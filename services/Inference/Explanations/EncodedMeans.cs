using MlOps.Inference.Models;
using MlOps.Inference.Predictions;
using MlOps.Numerics.Profiles;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Explanations;

/// <summary>Means of encoded rows, which linear SHAP compares with; over those that have a value, where missing ones stay missing.</summary>
internal static class EncodedMeans
{
    private const int RowsAtOnce = 512;

    /// <summary>Over the rows of a workspace.</summary>
    public static double[] Of(Explainable parts, Workspace rows)
    {
        var means = new RunningMean[parts.Width];
        var design = new float[parts.Width];
        for (var row = 0; row < rows.Rows; row++)
        {
            parts.Encode(rows.Inputs, row, 1, design);
            for (var place = 0; place < means.Length; place++) means[place].Add(design[place], weight: 1);
        }

        return [.. means.Select(mean => mean.Value)];
    }

    /// <summary>
    /// Over the training rows: an encoded place follows from one raw value, so its mean is that over the value's profile,
    /// missing ones among them.
    /// </summary>
    public static double[] Of(LoadedModel model, Explainable parts, RawValues raw, Dictionary<string, FeatureProfile> profiles)
    {
        var means = new RunningMean[parts.Width];
        foreach (var value in parts.Origins.Distinct().Select(origin => raw.All[raw.PlaceOf(origin.Input, origin.Element)]))
        {
            var places = Enumerable.Range(0, parts.Width)
                .Where(place => (parts.Origins[place].Input, parts.Origins[place].Element) == (value.Input, value.Element)).ToArray();
            Add(model, parts, value, ProfiledValues.Of(profiles[value.Name], model.Inputs[value.Input]), places, means);
        }

        return [.. means.Select(mean => mean.Value)];
    }

    private static void Add(
        LoadedModel model, Explainable parts, RawValue value, ProfiledValues seen, int[] places, RunningMean[] means)
    {
        var design = new float[RowsAtOnce * parts.Width];
        for (var first = 0; first < seen.Count; first += RowsAtOnce)
        {
            var rows = Math.Min(RowsAtOnce, seen.Count - first);
            using var workspace = model.RentWorkspace(0);
            FillWith(workspace, value, seen, first, rows);
            parts.Encode(workspace.Inputs, 0, rows, design);
            for (var row = 0; row < rows; row++)
            {
                foreach (var place in places) means[place].Add(design[(row * parts.Width) + place], seen.ShareOf(first + row));
            }
        }
    }

    private struct RunningMean
    {
        private double _weight;
        private double _mean;

        public readonly double Value => _weight > 0 ? _mean : double.NaN;

        public void Add(double value, double weight)
        {
            if (double.IsNaN(value) || weight == 0) return;
            _weight += weight;
            _mean += (value - _mean) * (weight / _weight);
        }
    }

    // Only the one value matters: in the places of the others lie zeros and empty texts.
    private static void FillWith(Workspace workspace, RawValue value, ProfiledValues seen, int first, int rows)
    {
        var violations = new Violations();
        for (var input = 0; input < workspace.Inputs.Length; input++)
        {
            var slot = workspace.Inputs[input];
            var layout = slot.Layout;
            slot.TryBegin(violations);
            slot.TryShape(layout.Datatype.Name, [.. layout.Shape.Select((size, i) => i == 0 && layout.IsBatched ? rows : Math.Max(1, size))], violations);
            var width = slot.Expected / slot.Rows;
            for (var i = 0; i < slot.Expected; i++)
            {
                if (input == value.Input && i % width == value.Element) seen.AppendTo(slot, first + (i / width));
                else if (layout.Datatype.IsText) slot.TryAppendText([]);
                else slot.Reserve(1).Clear();
            }
        }
    }
}
