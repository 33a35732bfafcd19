namespace MlOps.Contracts.Events;

/// <summary>
/// Answered predictions for the log; the same <paramref name="BatchId"/> always carries the same records.
/// Publisher: Inference. Consumer: Monitoring.
/// </summary>
/// <param name="BatchId">Identifies the batch, so that a repeated delivery is recognised.</param>
/// <param name="Records">A serialised <c>mlops.monitoring.v1.PredictionBatch</c>.</param>
/// <param name="Encoding">How the records are compressed: <c>br</c>, Brotli (RFC 7932); empty: not at all.</param>
public sealed record PredictionsLogged(Guid BatchId, ReadOnlyMemory<byte> Records, string Encoding = "")
{
    public const string Brotli = "br";
}
