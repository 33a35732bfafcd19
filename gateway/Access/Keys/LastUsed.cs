using System.Collections.Concurrent;

namespace MlOps.Gateway.Access.Keys;

/// <summary>
/// When each key was last used, to the second, noted in memory by the request and written down by <see cref="LastUsedWriter"/>.
/// There are as many notes as keys; requests cannot make them grow.
/// </summary>
internal sealed class LastUsed
{
    private readonly ConcurrentDictionary<string, Stamp> _stamps = new(StringComparer.Ordinal);

    public Stamp Of(string id) => _stamps.GetOrAdd(id, static _ => new Stamp());

    /// <summary>The keys used since they were last taken.</summary>
    public List<(string Id, DateTimeOffset At)> TakeNew() =>
        [.. _stamps.Select(s => (s.Key, At: s.Value.TakeNew())).Where(s => s.At is not null).Select(s => (s.Key, s.At.GetValueOrDefault()))];

    internal sealed class Stamp
    {
        private long _ticks;
        private long _takenTicks;

        public void Note(DateTimeOffset now)
        {
            // Read by all, written by one in a second: the line stays in every core's cache.
            if (now.UtcTicks - Volatile.Read(ref _ticks) >= TimeSpan.TicksPerSecond) Volatile.Write(ref _ticks, now.UtcTicks);
        }

        public DateTimeOffset? TakeNew()
        {
            var ticks = Volatile.Read(ref _ticks);
            if (ticks == _takenTicks) return null;
            _takenTicks = ticks;
            return new DateTimeOffset(ticks, TimeSpan.Zero);
        }
    }
}
