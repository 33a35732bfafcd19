using MlOps.Inference.Predictions;

namespace MlOps.Inference.Explanations;

/// <summary>Takes rows of one request apart, by one method.</summary>
internal interface IRowExplainer
{
    /// <summary>As an answer names it.</summary>
    string Method { get; }

    /// <param name="inputs">Checked, in the model's order.</param>
    /// <param name="rows">Rows of them to be explained, ascending.</param>
    /// <param name="ct">The caller gave up.</param>
    /// <returns>One per row asked.</returns>
    IReadOnlyList<RowExplanation> Explain(InputSlot[] inputs, IReadOnlyList<int> rows, CancellationToken ct);
}
