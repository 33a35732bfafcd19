using MlOps.Contracts.Training.V1;

namespace MlOps.Training.Runs;

/// <summary>The winner of a training run, exported, checked and scored.</summary>
internal sealed record EvaluatedModel(
    byte[] Graph, byte[] Profile, double ExportMaxDifference, Score Score, IReadOnlyList<Score> Baselines,
    int TrainingRows, int ValidationRows, int TestRows);
