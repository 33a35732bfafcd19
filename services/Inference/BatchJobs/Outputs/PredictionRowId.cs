namespace MlOps.Inference.BatchJobs.Outputs;

/// <summary>Id of one row's prediction, <c>32 hex digits.row</c>, without making its text; an empty one stands for none.</summary>
internal readonly record struct PredictionRowId(Guid Id, int Row)
{
    public bool IsEmpty => Id == Guid.Empty;

    public void WriteTo(OutputText text)
    {
        Id.TryFormat(text.Reserve(32), out var written, "N");
        text.Advance(written);
        text.Add((byte)'.');
        text.Add(Row);
    }
}
