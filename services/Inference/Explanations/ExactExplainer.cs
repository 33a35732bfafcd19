using System.Buffers;
using MlOps.Inference.Models;
using MlOps.Inference.Predictions;

namespace MlOps.Inference.Explanations;

/// <summary>Explains the scores of a model that was taken apart; what a raw value was encoded into is summed up again.</summary>
/// <param name="method">As an answer names it.</param>
/// <param name="parts">The model.</param>
/// <param name="raw">Its raw values.</param>
/// <param name="explain">Contributions of encoded rows, and the bias.</param>
internal sealed class ExactExplainer(string method, Explainable parts, RawValues raw, ExplainEncoded explain) : IRowExplainer
{
    private readonly int[] _places = [.. parts.Origins.Select(origin => raw.PlaceOf(origin.Input, origin.Element))];

    public string Method => method;

    public IReadOnlyList<RowExplanation> Explain(InputSlot[] inputs, IReadOnlyList<int> rows, CancellationToken ct)
    {
        var width = parts.Width;
        var explained = new RowExplanation[rows.Count];
        var design = ArrayPool<float>.Shared.Rent(width);
        var contributions = ArrayPool<double>.Shared.Rent(width);
        try
        {
            var (row, of) = (design.AsMemory(0, width), contributions.AsMemory(0, width));
            for (var i = 0; i < explained.Length; i++)
            {
                ct.ThrowIfCancellationRequested();
                parts.Encode(inputs, rows[i], 1, row.Span);
                var bias = explain(row.Span, of.Span);
                var sums = new double[raw.All.Count];
                for (var place = 0; place < width; place++) sums[_places[place]] += of.Span[place];
                explained[i] = new RowExplanation(bias, sums, []);
            }
        }
        finally
        {
            ArrayPool<float>.Shared.Return(design);
            ArrayPool<double>.Shared.Return(contributions);
        }

        return explained;
    }
}

/// <summary>Fills the contributions of an encoded row; the bias.</summary>
internal delegate double ExplainEncoded(ReadOnlySpan<float> row, Span<double> contributions);
