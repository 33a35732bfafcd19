namespace MlOps.Numerics.Statistics;

/// <summary>A test statistic with the probability, 0 to 1, of one at least as large when nothing has changed.</summary>
public readonly record struct TestResult(double Statistic, double PValue);
