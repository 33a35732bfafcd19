namespace MlOps.Inference.Explanations;

/// <summary>What is said of a request's rows, and how it was found.</summary>
internal sealed record Explanation
{
    /// <summary><c>tree_shap</c>, <c>linear_shap</c> or <c>sampling_shap</c>.</summary>
    public required string Method { get; init; }

    /// <summary><c>output</c>: the sum is the answer itself. <c>margin</c>: the score of which the link makes the answer.</summary>
    public required string Space { get; init; }

    /// <summary><c>identity</c>, <c>logistic</c>, <c>softmax</c> or <c>exponential</c>; of sampling, identity.</summary>
    public required string Link { get; init; }

    /// <summary>Output explained, like <c>prediction</c> or <c>probabilities[1]</c>.</summary>
    public required string Output { get; init; }

    /// <summary>Raw values, like <c>distance</c> and <c>x[3]</c>, in the model's order.</summary>
    public required IReadOnlyList<string> Names { get; init; }

    public required IReadOnlyList<RowExplanation> Rows { get; init; }

    /// <summary>Pairs of orders; 0: exact.</summary>
    public int Samples { get; init; }

    /// <summary>Of the orders; 0: exact.</summary>
    public int Seed { get; init; }
}
