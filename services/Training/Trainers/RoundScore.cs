namespace MlOps.Training.Trainers;

/// <summary>Root mean squared errors after a boosting round, in units of the label.</summary>
internal readonly record struct RoundScore(int Round, double TrainRmse, double ValidationRmse);
