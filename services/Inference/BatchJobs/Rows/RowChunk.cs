using MlOps.Inference.Models;
using MlOps.Inference.Predictions;

namespace MlOps.Inference.BatchJobs.Rows;

/// <summary>Some rows of a partition on their way to the model, column by column; used again for the next ones.</summary>
internal sealed class RowChunk : IDisposable
{
    private readonly long[] _rows;
    private readonly long[] _lines;
    private readonly long[] _times;
    private readonly Range[] _content;

    public RowChunk(LoadedModel model, RowPlan plan, int capacity)
    {
        Workspace = model.RentWorkspace(0);
        Kept = [.. plan.Kept.Select(_ => new TextColumn())];
        Keys = [.. plan.Keys.Select(_ => new TextColumn())];
        (_rows, _lines, _times, _content) = (new long[capacity], new long[capacity], new long[capacity], new Range[capacity]);
        IsBad = new bool[capacity];
    }

    public Workspace Workspace { get; }

    public TextColumn[] Kept { get; }

    public TextColumn[] Keys { get; }

    /// <summary>Rows found bad after they were read; <see cref="RemoveBad"/> takes them out.</summary>
    public bool[] IsBad { get; }

    public int Count { get; private set; }

    /// <summary>Rows read until the chunk was full, bad ones included.</summary>
    public int RowsRead { get; set; }

    public bool IsFull => Count == _rows.Length;

    /// <summary>Microseconds; of the rows whose features are asked for as of a time of their own.</summary>
    public ReadOnlySpan<long> Times => _times.AsSpan(0, Count);

    public long Row(int i) => _rows[i];

    public long Line(int i) => _lines[i];

    /// <summary>Where the row stands in the partition's text.</summary>
    public Range Content(int i) => _content[i];

    public void Begin()
    {
        (Count, RowsRead) = (0, 0);
        foreach (var slot in Workspace.Inputs) slot.BeginRows(_rows.Length);
        foreach (var column in Kept) column.Truncate(0);
        foreach (var column in Keys) column.Truncate(0);
    }

    public void SetTime(long micros) => _times[Count] = micros;

    /// <summary>The row whose values were set is one.</summary>
    public void Accept(long row, long line, Range content)
    {
        (_rows[Count], _lines[Count], _content[Count]) = (row, line, content);
        Count++;
    }

    /// <summary>The row whose values were set, some of them maybe, is none.</summary>
    public void Refuse()
    {
        foreach (var slot in Workspace.Inputs)
        {
            if (slot.Layout.Datatype.IsText) slot.Truncate(Count);
        }

        foreach (var column in Kept) column.Truncate(Count);
        foreach (var column in Keys) column.Truncate(Count);
    }

    /// <summary>No more rows; the inputs have their shapes.</summary>
    public void End()
    {
        foreach (var slot in Workspace.Inputs) slot.EndRows(Count);
        Array.Clear(IsBad, 0, Count);
    }

    /// <summary>Takes out the rows marked bad.</summary>
    public void RemoveBad()
    {
        var isBad = IsBad.AsSpan(0, Count);
        if (isBad.IndexOf(true) < 0) return;
        foreach (var slot in Workspace.Inputs) slot.RemoveRows(isBad);
        foreach (var column in Kept) column.RemoveRows(isBad);
        foreach (var column in Keys) column.RemoveRows(isBad);
        var kept = 0;
        for (var i = 0; i < isBad.Length; i++)
        {
            if (isBad[i]) continue;
            (_rows[kept], _lines[kept], _times[kept], _content[kept]) = (_rows[i], _lines[i], _times[i], _content[i]);
            kept++;
        }

        Count = kept;
        End();
    }

    public void Dispose() => Workspace.Dispose();
}
