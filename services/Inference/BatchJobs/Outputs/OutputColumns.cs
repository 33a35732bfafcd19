using MlOps.Inference.Models;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.BatchJobs.Outputs;

/// <summary>
/// Columns of a job's output: the row's number in the input, the kept columns, one per value of each output of the model,
/// and the prediction's id where the job is logged.
/// </summary>
internal sealed record OutputColumns(string[] Kept, TensorLayout[] Outputs, bool HasPredictionId)
{
    public const string Row = "row";
    public const string PredictionId = "prediction_id";

    public IEnumerable<string> Names =>
        [Row, .. Kept, .. Outputs.SelectMany(NamesOf), .. HasPredictionId ? new[] { PredictionId } : []];

    public void Check(Violations violations)
    {
        foreach (var name in Names.GroupBy(n => n, StringComparer.Ordinal).Where(g => g.Count() > 1))
        {
            violations.Add("keep_columns", $"'{name.Key}' would stand in the output twice");
        }
    }

    public static IEnumerable<string> NamesOf(TensorLayout output) => output.RowWidth == 1
        ? [output.Name]
        : Enumerable.Range(0, output.RowWidth).Select(at => $"{output.Name}[{at}]");
}
