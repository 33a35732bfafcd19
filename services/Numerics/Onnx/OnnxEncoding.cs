namespace MlOps.Numerics.Onnx;

/// <summary>
/// Reads how the rows a model sees follow from its raw inputs, where the graph is of the forms <see cref="TabularModel"/>
/// writes, or takes rows of numbers as they are: Identity, Cast to float, Imputer, Scaler, OneHotEncoder, Reshape or
/// Flatten of its answer, Concat of columns.
/// </summary>
public static class OnnxEncoding
{
    private const int MostFeatures = 1 << 20;

    /// <param name="graph">The model's graph.</param>
    /// <param name="tensor">Name of the N × features float32 tensor the model proper takes.</param>
    /// <returns>One per feature, in order.</returns>
    /// <exception cref="NotSupportedException">The tensor is made in another way; names the operation.</exception>
    public static IReadOnlyList<EncodedFeature> Read(OnnxGraph graph, string tensor)
    {
        var made = Make(graph, tensor);
        return made.State == State.Encoded
            ? made.Features
            : throw new NotSupportedException($"Tensor '{tensor}' is not float32 of two dimensions.");
    }

    private static Columns Make(OnnxGraph graph, string tensor)
    {
        if (graph.MakerOf(tensor) is not { } node)
            return OfInput(graph, tensor);
        if (node.Is("Concat"))
            return Concat(graph, node);
        if (node.Inputs.Count == 0)
            throw new NotSupportedException($"Operation {node.Operation} takes no input.");
        var columns = Make(graph, node.Inputs[0]);
        var made = node switch
        {
            _ when node.Is("Identity") => columns,
            _ when node.Is("Cast") && node.Integer("to") == (long)OnnxType.Float && columns.State is State.Number or State.Encoded =>
                columns with { State = State.Encoded },
            _ when node.IsMachineLearning("Imputer") => Impute(node, columns),
            _ when node.IsMachineLearning("Scaler") => Scale(node, columns),
            _ when node.IsMachineLearning("OneHotEncoder") => OneHot(node, columns),
            _ when (node.Is("Reshape") && IsFlat(graph.ConstantOf(node.Inputs[1]), columns)) || (node.Is("Flatten") && (node.Integer("axis") ?? 1) == 1) =>
                columns.State == State.Hot ? columns with { State = State.Encoded } : columns,
            _ => null,
        };
        return made ?? throw new NotSupportedException(
            $"Operation {node.Operation} makes tensor '{tensor}' in a way the encoder does not know.");
    }

    private static Columns OfInput(OnnxGraph graph, string tensor)
    {
        if (graph.Inputs.FirstOrDefault(input => input.Name == tensor) is not { } input)
            throw new NotSupportedException($"Tensor '{tensor}' is the same for all rows.");
        if (input.Dimensions is not [-1, > 0 and <= MostFeatures and var width])
            throw new NotSupportedException($"Input '{tensor}' is not of shape [N, width].");
        var state = input.Type switch
        {
            OnnxType.Float => State.Encoded,
            OnnxType.Text => State.Text,
            _ => State.Number,
        };
        return new Columns(state, [.. Enumerable.Range(0, (int)width).Select(i => new EncodedFeature(tensor, i, null, []))]);
    }

    private static Columns Concat(OnnxGraph graph, OnnxNode node)
    {
        Columns[] parts = [.. node.Inputs.Select(input => Make(graph, input))];
        if (node.Integer("axis") is not (1 or -1) || parts.Any(part => part.State != State.Encoded))
            throw new NotSupportedException("Operation Concat joins something else than columns of float32.");
        return new Columns(State.Encoded, [.. parts.SelectMany(part => part.Features)]);
    }

    private static Columns? Impute(OnnxNode node, Columns columns)
    {
        var values = node.Singles("imputed_value_floats");
        if (columns.State != State.Encoded || !Spreads(values, columns))
            return null;
        var replaced = node.Single("replaced_value_float") ?? 0;
        return columns.Then(place => new EncodingStep(EncodingStepKind.Impute, replaced, At(values, place)));
    }

    private static Columns? Scale(OnnxNode node, Columns columns)
    {
        var (offsets, factors) = (node.Singles("offset"), node.Singles("scale"));
        if (columns.State != State.Encoded || !Spreads(offsets, columns) || factors.Count != offsets.Count)
            return null;
        return columns.Then(place => new EncodingStep(EncodingStepKind.Scale, At(offsets, place), At(factors, place)));
    }

    private static Columns? OneHot(OnnxNode node, Columns columns)
    {
        var categories = node.Texts("cats_strings");
        // With zeros = 0 a category unseen is an error; with one twice it is not said which place counts.
        if (columns.State != State.Text || (node.Integer("zeros") ?? 1) != 1 || categories.Count == 0
            || categories.Distinct(StringComparer.Ordinal).Count() < categories.Count)
            return null;
        return new Columns(State.Hot, [.. columns.Features.SelectMany(feature =>
            categories.Select(category => feature with { Category = category }))]);
    }

    // [N, width, categories] or [N, features] as [−1, features] or [0, features], or the one left to be inferred.
    private static bool IsFlat(OnnxTensor? shape, Columns columns) => shape?.Integers switch
    {
        [-1 or 0, var width] when width == columns.Features.Count => true,
        [0, -1] => true,
        _ => false,
    };

    private static bool Spreads(IReadOnlyList<float> values, Columns columns) =>
        values.Count == 1 || values.Count == columns.Features.Count;

    private static float At(IReadOnlyList<float> values, int place) => values[values.Count == 1 ? 0 : place];

    private enum State
    {
        /// <summary>[N, width] of another datatype than float32.</summary>
        Number,

        /// <summary>[N, width] of text.</summary>
        Text,

        /// <summary>[N, width, categories] of float32.</summary>
        Hot,

        /// <summary>[N, features] of float32.</summary>
        Encoded,
    }

    private sealed record Columns(State State, IReadOnlyList<EncodedFeature> Features)
    {
        public Columns Then(Func<int, EncodingStep> step) => this with
        {
            Features = [.. Features.Select((feature, place) =>
                feature with { Steps = [.. feature.Steps, step(place)] })],
        };
    }
}
