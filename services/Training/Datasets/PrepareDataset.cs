using MlOps.Contracts.Training.V1;
using MlOps.Numerics.Onnx;
using MlOps.Numerics.Statistics;
using TimeSplit = MlOps.Numerics.Splits.TimeSplit;

namespace MlOps.Training.Datasets;

/// <summary>Splits and encodes; pure.</summary>
internal static class PrepareDataset
{
    /// <summary>One-hot columns are dense: beyond this a category column wants another encoding.</summary>
    private const int MaxCategories = 4096;

    /// <exception cref="DatasetException">A part would have no rows, or a category column has none or too many categories.</exception>
    internal static PreparedDataset Of(Snapshot snapshot, Pipeline pipeline, bool isComplete)
    {
        var (validation, test) = (pipeline.Split.ValidationFraction, pipeline.Split.TestFraction);
        var split = TimeSplit.Of(snapshot.Time.Times, 1 - validation - test, validation, test);
        if (split is not { Train.Length: > 0, Validation.Length: > 0, Test.Length: > 0 })
        {
            throw new DatasetException(
                $"DATASET_INVALID: {snapshot.Rows} rows give {split.Train.Length} to train on, "
                + $"{split.Validation.Length} to validate on and {split.Test.Length} to test on; each part needs at least one");
        }
        var trainColumns = Columns(snapshot, pipeline, split.Train);
        var testColumns = Columns(snapshot, pipeline, split.Test);
        var inputs = pipeline.Inputs.Select((input, i) => Learn(input, trainColumns[i], isComplete)).ToArray();
        var encoder = new TabularEncoder(inputs);
        return new PreparedDataset(
            inputs,
            Encode(split.Train, trainColumns),
            Encode(split.Validation, Columns(snapshot, pipeline, split.Validation)),
            Encode(split.Test, testColumns),
            trainColumns, testColumns);

        DesignMatrix Encode(int[] rows, IReadOnlyList<RawColumn> columns) => new(
            encoder.Encode(columns), rows.Length, encoder.Width, Array.ConvertAll(rows, row => (float)snapshot.Label.Numbers[row]));
    }

    private static RawColumn[] Columns(Snapshot snapshot, Pipeline pipeline, int[] rows) =>
    [
        .. pipeline.Inputs.Select((input, i) => input.Kind == InputColumn.Types.Kind.Categorical
            ? (RawColumn)new TextColumn(input.Name, Array.ConvertAll(rows, row => snapshot.Inputs[i].Texts[row]))
            : new NumericColumn(input.Name, Array.ConvertAll(rows, row => (float)snapshot.Inputs[i].Numbers[row]))),
    ];

    private static TabularInput Learn(InputColumn input, RawColumn column, bool isComplete)
    {
        if (column is TextColumn texts)
        {
            var categories = texts.Values.OfType<string>().Distinct().Order(StringComparer.Ordinal).ToArray();
            return categories.Length is > 0 and <= MaxCategories
                ? new CategoricalInput(input.Name, categories)
                : throw new DatasetException(
                    $"DATASET_INVALID: column '{input.Name}' has {categories.Length} categories in the training part, "
                    + $"one-hot encoding takes 1 to {MaxCategories}");
        }
        if (!isComplete) return new NumericInput(input.Name);

        var seen = EmpiricalDistribution.FromSamples(((NumericColumn)column).Values);
        var mean = seen.Total > 0 ? (float)seen.Mean : 0;
        // A column without spread says nothing; it stays as it is rather than being blown up.
        var scale = seen.Total > 0 && seen.StandardDeviation > 0 ? (float)(1 / seen.StandardDeviation) : 1;
        return new NumericInput(input.Name, input.Nullable ? mean : null, mean, float.IsFinite(scale) ? scale : 1);
    }
}
