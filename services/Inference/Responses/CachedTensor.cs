using MlOps.Inference.Predictions;

namespace MlOps.Inference.Responses;

/// <summary>Shape and values of a tensor, kept.</summary>
/// <param name="Shape">Sizes.</param>
/// <param name="Bytes">Row-major values; of text the UTF-8 one after another.</param>
/// <param name="Ends">Of each text; none of numbers.</param>
internal readonly record struct CachedTensor(long[] Shape, byte[] Bytes, int[] Ends)
{
    public long Size => (Shape.Length * sizeof(long)) + Bytes.Length + (Ends.Length * sizeof(int));

    public static CachedTensor Of(InputSlot slot)
    {
        var ends = new int[slot.Layout.Datatype.IsText ? slot.Count : 0];
        for (var (i, end) = (0, 0); i < ends.Length; i++) ends[i] = end += slot.Text(i).Length;
        return new CachedTensor([.. slot.Shape], slot.Bytes.ToArray(), ends);
    }

    public static CachedTensor Of(OutputSlot slot)
    {
        var ends = new int[slot.Layout.Datatype.IsText ? slot.Count : 0];
        for (var (i, end) = (0, 0); i < ends.Length; i++) ends[i] = end += slot.Text(i).Length;
        return new CachedTensor([.. slot.Shape], slot.Bytes.ToArray(), ends);
    }

    public static void AddTo(ref HashCode hash, InputSlot slot)
    {
        foreach (var size in slot.Shape) hash.Add(size);
        hash.AddBytes(slot.Bytes);
    }

    /// <summary>Whether the input is this one, to the bit.</summary>
    public bool Is(InputSlot slot)
    {
        if (!slot.Shape.AsSpan().SequenceEqual(Shape) || !slot.Bytes.SequenceEqual(Bytes)) return false;
        for (var (i, end) = (0, 0); i < Ends.Length; i++)
        {
            if (Ends[i] != (end += slot.Text(i).Length)) return false;
        }

        return true;
    }

    public void CopyTo(OutputSlot slot)
    {
        var values = slot.Begin(Shape);
        if (!slot.Layout.Datatype.IsText)
        {
            Bytes.CopyTo(values);
            return;
        }

        var start = 0;
        foreach (var end in Ends)
        {
            slot.AppendText(Bytes.AsSpan(start..end));
            start = end;
        }
    }
}
