namespace MlOps.Gateway.Rollouts.Observations;

/// <summary>
/// The first subjects a policy met, each once, with the arm it got; those after the first 8,192 are not looked at. That
/// many tell a split that is a tenth off, and when to stop does not depend on the arm. Adding allocates nothing.
/// </summary>
internal sealed class SeenSubjects
{
    public const int Most = 8_192;
    private const int Slots = 2 * Most;

    // The arm stands in the last five bits, since a policy has at most 20; 0 is free.
    private const ulong ArmBits = 31;
    private readonly long[] _slots = new long[Slots];
    private readonly long[] _inOrder = new long[Most];
    private int _count;
    private int _taken;

    public void Add(ulong key, int arm)
    {
        if (Volatile.Read(ref _count) >= Most) return;
        var subject = (key & ~ArmBits) | 32;
        var entry = (long)(subject | (uint)arm);
        for (var slot = (int)(key >> 50) % Slots; ; slot = (slot + 1) % Slots)
        {
            var there = Volatile.Read(ref _slots[slot]);
            if (there == 0) there = Interlocked.CompareExchange(ref _slots[slot], entry, 0);
            if (there != 0 && ((ulong)there & ~ArmBits) != subject) continue;
            if (there == 0 && Interlocked.Increment(ref _count) is var place and <= Most) Volatile.Write(ref _inOrder[place - 1], entry);
            return;
        }
    }

    /// <summary>Those added since they were last taken; for one taker.</summary>
    public (long[] Subjects, short[] Arms) Take()
    {
        var end = _taken;
        // One that has its place and is not written yet ends it for now.
        while (end < Most && Volatile.Read(ref _inOrder[end]) != 0) end++;
        var entries = _inOrder.AsSpan(_taken, end - _taken).ToArray();
        _taken = end;
        return ([.. entries.Select(e => e & ~(long)ArmBits)], [.. entries.Select(e => (short)(e & (long)ArmBits))]);
    }

    /// <summary>What was taken did not arrive: the next to take gets it again.</summary>
    public void GiveBack(int count) => _taken -= count;
}
