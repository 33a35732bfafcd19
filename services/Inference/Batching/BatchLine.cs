using MlOps.Inference.Predictions;

namespace MlOps.Inference.Batching;

/// <summary>
/// Who waits for a run: a bounded line for each tier, taken from the most important one first and within it in order. One
/// caller at a time.
/// </summary>
internal sealed class BatchLine(int maxRows, int[] preferredRows)
{
    private readonly LinkedList<BatchMember>[] _tiers = [.. Enum.GetValues<CallTier>().Select(_ => new LinkedList<BatchMember>())];

    public int Rows { get; private set; }

    public bool IsEmpty => Rows == 0;

    /// <summary>When the longest waiting one came; null: nobody waits.</summary>
    public long? OldestArrival
    {
        get
        {
            long? oldest = null;
            foreach (var tier in _tiers)
            {
                if (tier.First is { } first && !(first.Value.ArrivedAt >= oldest)) oldest = first.Value.ArrivedAt;
            }

            return oldest;
        }
    }

    /// <summary>Puts one at its tier's end.</summary>
    /// <param name="member">Who comes.</param>
    /// <param name="displaced">Takes those of lower tiers that had to go for it, the latest first.</param>
    /// <returns>False: the line is full of no less important ones.</returns>
    public bool TryAdd(BatchMember member, List<BatchMember> displaced)
    {
        var free = maxRows - Rows;
        for (var tier = _tiers.Length - 1; tier > (int)member.Tier; tier--)
        {
            foreach (var other in _tiers[tier]) free += other.Rows;
        }

        if (free < member.Rows) return false;
        for (var tier = _tiers.Length - 1; Rows + member.Rows > maxRows;)
        {
            if (_tiers[tier].Last is not { } last)
            {
                tier--;
                continue;
            }

            displaced.Add(last.Value);
            Remove(last);
        }

        _tiers[(int)member.Tier].AddLast(member);
        Rows += member.Rows;
        return true;
    }

    /// <summary>False: it is not in line any more.</summary>
    public bool TryRemove(BatchMember member)
    {
        if (_tiers[(int)member.Tier].Find(member) is not { } node) return false;
        Remove(node);
        return true;
    }

    /// <summary>Takes out who came before a time.</summary>
    public void TakeOlder(long than, List<BatchMember> into)
    {
        foreach (var tier in _tiers)
        {
            while (tier.First is { } first && first.Value.ArrivedAt < than)
            {
                into.Add(first.Value);
                Remove(first);
            }
        }
    }

    /// <summary>
    /// Takes out the next run's requests: as many as fit and still keep the deadline of each, then back to a preferred size
    /// if one was passed. A first one that is larger than a run goes alone.
    /// </summary>
    /// <param name="mostRows">Most rows of the run.</param>
    /// <param name="endOf">Timestamp at which a run of that many rows would end.</param>
    /// <param name="into">Takes them, in order.</param>
    /// <param name="late">Takes those whose deadline a run for them alone would miss.</param>
    public void TakeRun(int mostRows, Func<int, long> endOf, List<BatchMember> into, List<BatchMember> late)
    {
        var (rows, until, preferred) = (0, long.MaxValue, 0);
        foreach (var tier in _tiers)
        {
            for (var node = tier.First; node is not null;)
            {
                var (member, next) = (node.Value, node.Next);
                if (endOf(member.Rows) > member.Deadline)
                {
                    late.Add(member);
                    Remove(node);
                    node = next;
                    continue;
                }

                var with = rows + member.Rows;
                if (rows > 0 && (with > mostRows || endOf(with) > Math.Min(until, member.Deadline)))
                {
                    RemoveFirst(preferred, into);
                    return;
                }

                (rows, until) = (with, Math.Min(until, member.Deadline));
                into.Add(member);
                if (preferredRows.Contains(rows)) preferred = into.Count;
                node = next;
            }
        }

        RemoveFirst(preferred, into);
    }

    private void RemoveFirst(int preferred, List<BatchMember> taken)
    {
        if (preferred > 0) taken.RemoveRange(preferred, taken.Count - preferred);
        // They are the first of their tiers.
        foreach (var member in taken)
        {
            _tiers[(int)member.Tier].RemoveFirst();
            Rows -= member.Rows;
        }
    }

    private void Remove(LinkedListNode<BatchMember> node)
    {
        Rows -= node.Value.Rows;
        node.List?.Remove(node);
    }
}
