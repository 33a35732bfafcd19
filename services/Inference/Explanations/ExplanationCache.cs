namespace MlOps.Inference.Explanations;

/// <summary>
/// Explained rows by the SHA-256 of everything they follow from, of one loaded version. At most so many are kept, those
/// longest unused go first.
/// </summary>
internal sealed class ExplanationCache(int capacity)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<ExplanationKey, LinkedListNode<(ExplanationKey Key, RowExplanation Row)>> _rows = [];

    // The first was used last.
    private readonly LinkedList<(ExplanationKey Key, RowExplanation Row)> _order = [];

    public int Count
    {
        get
        {
            lock (_lock) return _rows.Count;
        }
    }

    public RowExplanation? Find(ExplanationKey key)
    {
        lock (_lock)
        {
            if (!_rows.TryGetValue(key, out var node)) return null;
            _order.Remove(node);
            _order.AddFirst(node);
            return node.Value.Row;
        }
    }

    public void Add(ExplanationKey key, RowExplanation row)
    {
        lock (_lock)
        {
            // Two requests may have explained the same row.
            if (capacity == 0 || _rows.ContainsKey(key)) return;
            if (_rows.Count == capacity && _order.Last is { } last)
            {
                _rows.Remove(last.Value.Key);
                _order.RemoveLast();
            }

            _rows[key] = _order.AddFirst((key, row));
        }
    }
}
