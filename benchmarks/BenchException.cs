namespace MlOps.Benchmarks;

/// <summary>Something a benchmark needs is not there, or an answer is wrong.</summary>
internal sealed class BenchException(string message) : Exception(message);
