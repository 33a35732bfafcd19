using MlOps.Inference.Predictions;

namespace MlOps.Inference.Explanations;

/// <summary>How a request is explained: decided before it is predicted, so that what cannot be explained is refused and not logged.</summary>
/// <param name="explainer">The method.</param>
/// <param name="raw">What is explained.</param>
/// <param name="output">Of what.</param>
/// <param name="question">What a cached row has to have been asked beside its values; null: rows are not cached.</param>
/// <param name="background">To be given back.</param>
internal sealed class ExplanationPlan(
    IRowExplainer explainer, RawValues raw, string output, string? question, Background? background = null) : IDisposable
{
    public required string Space { get; init; }

    public required string Link { get; init; }

    public int Samples { get; init; }

    public int Seed { get; init; }

    public string Method => explainer.Method;

    /// <param name="inputs">Checked, in the model's order.</param>
    /// <param name="rows">Of the request.</param>
    /// <param name="cache">Of the version.</param>
    /// <param name="ct">The caller gave up.</param>
    /// <returns>The explanation, and how many of its rows were in the cache.</returns>
    public (Explanation Explanation, int Cached) Explain(InputSlot[] inputs, int rows, ExplanationCache cache, CancellationToken ct)
    {
        var explained = new RowExplanation[rows];
        var keys = new ExplanationKey[question is null ? 0 : rows];
        var missing = new List<int>();
        for (var row = 0; row < rows; row++)
        {
            if (question is not null)
            {
                keys[row] = ExplanationKey.Of(question, inputs, row);
                if (cache.Find(keys[row]) is { } known)
                {
                    explained[row] = known;
                    continue;
                }
            }

            missing.Add(row);
        }

        foreach (var (row, found) in missing.Zip(explainer.Explain(inputs, missing, ct)))
        {
            explained[row] = found;
            if (question is not null) cache.Add(keys[row], found);
        }

        return (new Explanation
        {
            Method = Method,
            Space = Space,
            Link = Link,
            Output = output,
            Names = raw.Names,
            Rows = explained,
            Samples = Samples,
            Seed = Seed,
        }, rows - missing.Count);
    }

    public void Dispose() => background?.Dispose();
}
