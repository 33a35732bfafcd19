using MlOps.Contracts.Training.V1;
using MlOps.Numerics.Metrics;

namespace MlOps.Training.Evaluation;

/// <summary>Scores of predictions on a part of the data.</summary>
internal static class Scores
{
    internal static Score Of(string name, ReadOnlySpan<float> labels, ReadOnlySpan<float> predictions)
    {
        var metrics = RegressionMetrics.Of(labels, predictions);
        return new Score { Name = name, Rmse = metrics.Rmse, Mae = metrics.Mae, RSquared = metrics.RSquared };
    }

    internal static Dictionary<string, double> ToMetrics(this Score score) => new()
    {
        ["test_rmse"] = score.Rmse,
        ["test_mae"] = score.Mae,
        ["test_r_squared"] = score.RSquared,
    };
}
