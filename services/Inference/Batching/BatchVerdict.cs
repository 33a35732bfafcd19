namespace MlOps.Inference.Batching;

/// <summary>What was found at load about running requests of a version together.</summary>
/// <param name="MaxRows">Most rows of a shared run; 0: requests run alone.</param>
/// <param name="IsEqual">Whether batches up to that size gave the same bits as rows alone, in every place.</param>
/// <param name="Reason">In words, for people.</param>
/// <param name="RunCost">Time of a run beside its rows.</param>
/// <param name="RowCost">Time of a row in a run.</param>
internal sealed record BatchVerdict(int MaxRows, bool IsEqual, string Reason, TimeSpan RunCost = default, TimeSpan RowCost = default)
{
    public static BatchVerdict Alone(string reason) => new(0, false, reason);
}
