namespace MlOps.Inference.PredictionLog;

/// <summary>What a record says beside the request's own inputs and outputs.</summary>
/// <param name="Id">The prediction.</param>
/// <param name="Time">When the answer, or the refusal, was made.</param>
/// <param name="Latency">Time from arrival to then.</param>
/// <param name="SamplingRate">Share of such requests that is logged.</param>
/// <param name="Failure">Stable code of the refusal; empty: it was answered.</param>
/// <param name="HasInputs">False: they are too large to be kept.</param>
internal readonly record struct LogEntry(
    Guid Id, DateTimeOffset Time, TimeSpan Latency, double SamplingRate, string Failure = "", bool HasInputs = true);
