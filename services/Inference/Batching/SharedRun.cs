namespace MlOps.Inference.Batching;

/// <summary>A run of a model, for one request or several.</summary>
/// <param name="StartedAt">Timestamp.</param>
/// <param name="EndedAt">Timestamp.</param>
/// <param name="Rows">Of all its requests.</param>
internal readonly record struct SharedRun(long StartedAt, long EndedAt, int Rows);
