namespace MlOps.Numerics.Onnx;

/// <summary>
/// Turns raw columns into the matrix trainers train on, with the arithmetic of the exported graph to the bit: inputs in
/// their order, a numeric one as one feature, a categorical one as a feature per category.
/// </summary>
public sealed class TabularEncoder
{
    private readonly IReadOnlyList<TabularInput> _inputs;

    /// <exception cref="ArgumentException">
    /// No input, a name twice, empty or starting with '/', a categorical input with no category or one twice, or a
    /// number that is not finite.
    /// </exception>
    public TabularEncoder(IReadOnlyList<TabularInput> inputs)
    {
        if (inputs.Count == 0)
            throw new ArgumentException("A model needs at least one input.", nameof(inputs));
        if (inputs.Select(input => input.Name).Distinct(StringComparer.Ordinal).Count() < inputs.Count)
            throw new ArgumentException("Every input needs a name of its own.", nameof(inputs));
        foreach (var input in inputs)
            Check(input);
        _inputs = inputs;
        FeatureNames = [.. inputs.SelectMany(NamesOf)];
    }

    /// <summary>Names of the encoded features in order: <c>distance</c>, <c>origin=ATL</c>, ….</summary>
    public IReadOnlyList<string> FeatureNames { get; }

    /// <summary>Number of encoded features.</summary>
    public int Width => FeatureNames.Count;

    /// <summary>Encodes all rows.</summary>
    /// <param name="columns">One per input, found by name, in any order and all of one length.</param>
    /// <returns>n × <see cref="Width"/>, row-major, float32.</returns>
    /// <exception cref="ArgumentException">A column is missing, of the wrong kind, or of another length.</exception>
    public float[] Encode(IReadOnlyList<RawColumn> columns)
    {
        var rows = columns.Count == 0 ? 0 : columns[0].Length;
        var design = new float[checked(rows * Width)];
        var feature = 0;
        foreach (var input in _inputs)
        {
            var column = columns.FirstOrDefault(candidate => candidate.Name == input.Name)
                ?? throw new ArgumentException($"Column '{input.Name}' is missing.", nameof(columns));
            if (column.Length != rows)
                throw new ArgumentException(
                    $"Column '{input.Name}' has {column.Length} rows, not {rows}.", nameof(columns));
            feature += (input, column) switch
            {
                (NumericInput numeric, NumericColumn numbers) => Fill(design, feature, numeric, numbers.Values),
                (CategoricalInput categorical, TextColumn texts) => Fill(design, feature, categorical, texts.Values),
                _ => throw new ArgumentException($"Column '{input.Name}' is not of its input's kind.", nameof(columns)),
            };
        }

        return design;
    }

    private int Fill(float[] design, int feature, NumericInput input, float[] values)
    {
        for (var i = 0; i < values.Length; i++)
        {
            var value = float.IsNaN(values[i]) && input.Impute is { } impute ? impute : values[i];
            design[i * Width + feature] = (value - input.Offset) * input.Scale;
        }

        return 1;
    }

    private int Fill(float[] design, int feature, CategoricalInput input, string?[] values)
    {
        var places = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var category in input.Categories)
            places.Add(category, places.Count);
        for (var i = 0; i < values.Length; i++)
            if (places.TryGetValue(values[i] ?? "", out var place))
                design[i * Width + feature + place] = 1;
        return input.Categories.Length;
    }

    private static IEnumerable<string> NamesOf(TabularInput input) => input is CategoricalInput categorical
        ? categorical.Categories.Select(category => $"{input.Name}={category}")
        : [input.Name];

    private static void Check(TabularInput input)
    {
        var complaint = input switch
        {
            { Name.Length: 0 } => "An input needs a name.",
            { Name: ['/', ..] } => $"Input '{input.Name}' starts with '/', as only tensors inside a graph do.",
            CategoricalInput { Categories.Length: 0 } => $"Input '{input.Name}' has no categories.",
            CategoricalInput { Categories: var names }
                when names.Distinct(StringComparer.Ordinal).Count() < names.Length =>
                    $"Input '{input.Name}' has a category twice.",
            NumericInput numeric when !float.IsFinite(numeric.Offset) || !float.IsFinite(numeric.Scale)
                || !float.IsFinite(numeric.Impute ?? 0) =>
                $"Offset, scale and impute of '{input.Name}' must be finite.",
            _ => null,
        };
        if (complaint is not null)
            throw new ArgumentException(complaint, nameof(input));
    }
}
