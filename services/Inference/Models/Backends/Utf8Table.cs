using System.Text;

namespace MlOps.Inference.Models.Backends;

/// <summary>Finds a text among a fixed set by its UTF-8, without making a string of it.</summary>
internal sealed class Utf8Table
{
    private readonly byte[][] _texts;
    private readonly int[] _slots;

    /// <param name="texts">Different ones.</param>
    public Utf8Table(IEnumerable<string> texts)
    {
        _texts = [.. texts.Select(Encoding.UTF8.GetBytes)];
        // At most half full, so that a miss ends soon.
        _slots = new int[System.Numerics.BitOperations.RoundUpToPowerOf2((uint)(_texts.Length * 2) + 1)];
        Array.Fill(_slots, -1);
        for (var i = 0; i < _texts.Length; i++)
        {
            var slot = SlotOf(_texts[i]);
            while (_slots[slot] >= 0) slot = (slot + 1) & (_slots.Length - 1);
            _slots[slot] = i;
        }
    }

    /// <summary>Its place in the set; −1: it is not there.</summary>
    public int Find(ReadOnlySpan<byte> utf8)
    {
        for (var slot = SlotOf(utf8); _slots[slot] is >= 0 and var found; slot = (slot + 1) & (_slots.Length - 1))
        {
            if (utf8.SequenceEqual(_texts[found])) return found;
        }

        return -1;
    }

    // Seeded by the process, so that no caller can choose texts that collide.
    private int SlotOf(ReadOnlySpan<byte> utf8)
    {
        var hash = new HashCode();
        hash.AddBytes(utf8);
        return hash.ToHashCode() & (_slots.Length - 1);
    }
}
