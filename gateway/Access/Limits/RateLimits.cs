using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Grpc.Core;
using Microsoft.Extensions.Options;
using MlOps.Gateway.Routes;

namespace MlOps.Gateway.Access.Limits;

/// <summary>
/// A bucket for every caller and model, in this replica. There are at most <see cref="Capacity"/>: when they are all there,
/// those that are full again go, which changes nothing for anybody; while none is, newcomers share a few.
/// </summary>
internal sealed class RateLimits
{
    public const int Capacity = 10_000;

    private const int SharedBuckets = 64;
    private readonly ConcurrentDictionary<Name, TokenBucket> _buckets = new(new NameComparer());
    private readonly ConcurrentDictionary<Name, TokenBucket>.AlternateLookup<NameSpan> _byName;
    private readonly TokenBucket[] _shared = [.. Enumerable.Range(0, SharedBuckets).Select(_ => new TokenBucket())];
    private readonly Lock _turn = new();
    private readonly RateLimit? _usual;
    private readonly TimeProvider _time;
    private long _sweptAt;

    public RateLimits(IOptions<AccessOptions> options, TimeProvider time)
    {
        _time = time;
        _byName = _buckets.GetAlternateLookup<NameSpan>();
        _usual = options.Value is { RequestsPerSecond: > 0 } limit ? new RateLimit(limit.RequestsPerSecond, limit.Burst) : null;
    }

    public int Count => _buckets.Count;

    /// <summary>What holds for a caller; null: nothing.</summary>
    public RateLimit? Of(Caller caller) => caller == Caller.Anonymous ? null : caller.Limit(_usual);

    /// <summary>Null: go on. Allocates nothing for a caller and a model that were seen before.</summary>
    public Refusal? Take(Caller caller, RateLimit limit, ReadOnlySpan<char> model)
    {
        var now = _time.GetTimestamp();
        if (BucketOf(caller.Name, model, now).TryTake(limit, now, _time.TimestampFrequency, out var wait)) return null;

        var pause = TimeSpan.FromSeconds((double)wait / _time.TimestampFrequency);
        var about = model.IsEmpty ? "" : $" of the model {model}";
        return new Refusal(
            StatusCode.ResourceExhausted, StatusCodes.Status429TooManyRequests, "RATE_LIMITED",
            FormattableString.Invariant(
                $"{caller.Name} may ask {limit.RequestsPerSecond:0.###} times a second{about}, and {limit.Burst} at once; try again in {pause.TotalSeconds:0.###} s."))
        {
            RetryAfter = pause,
        };
    }

    private TokenBucket BucketOf(string caller, ReadOnlySpan<char> model, long now)
    {
        var name = new NameSpan(caller, model);
        if (_byName.TryGetValue(name, out var bucket)) return bucket;
        if (_buckets.Count >= Capacity && !MakeRoom(now))
            return _shared[(uint)StringComparer.Ordinal.GetHashCode(caller) % SharedBuckets];
        return _buckets.GetOrAdd(new Name(caller, model.ToString()), static _ => new TokenBucket());
    }

    private bool MakeRoom(long now)
    {
        lock (_turn)
        {
            // Looking through all of them for every newcomer would be what the newcomers want.
            if (_buckets.Count < Capacity) return true;
            if (_sweptAt != 0 && _time.GetElapsedTime(_sweptAt, now) < TimeSpan.FromSeconds(1)) return false;
            _sweptAt = now;
            foreach (var (name, bucket) in _buckets)
            {
                if (bucket.IsFull(now)) _buckets.TryRemove(name, out _);
            }

            return _buckets.Count < Capacity;
        }
    }

    private readonly record struct Name(string Caller, string Model);

    private readonly ref struct NameSpan(string caller, ReadOnlySpan<char> model)
    {
        public string Caller { get; } = caller;

        public ReadOnlySpan<char> Model { get; } = model;
    }

    private sealed class NameComparer : IEqualityComparer<Name>, IAlternateEqualityComparer<NameSpan, Name>
    {
        public bool Equals(Name x, Name y) => x == y;

        public int GetHashCode([DisallowNull] Name obj) => Hash(obj.Caller, obj.Model);

        public bool Equals(NameSpan alternate, Name other) =>
            alternate.Caller == other.Caller && alternate.Model.SequenceEqual(other.Model);

        public int GetHashCode(NameSpan alternate) => Hash(alternate.Caller, alternate.Model);

        public Name Create(NameSpan alternate) => new(alternate.Caller, alternate.Model.ToString());

        private static int Hash(string caller, ReadOnlySpan<char> model) =>
            HashCode.Combine(string.GetHashCode(caller, StringComparison.Ordinal), string.GetHashCode(model, StringComparison.Ordinal));
    }
}
