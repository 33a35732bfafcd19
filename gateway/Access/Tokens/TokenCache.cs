using System.Buffers;
using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace MlOps.Gateway.Access.Tokens;

/// <summary>
/// Callers of tokens found good, so that a signature is checked once and not with every request: at most
/// <see cref="Capacity"/> of them, under the SHA-256 of the token. When it is full those that ended go, then any.
/// </summary>
internal sealed class TokenCache
{
    public const int Capacity = 10_000;

    private readonly ConcurrentDictionary<Digest, Entry> _entries = new();
    private readonly Lock _turn = new();

    public int Count => _entries.Count;

    /// <summary>Null: not known, or not good any more. Allocates nothing.</summary>
    public Caller? Find(ReadOnlySpan<char> token, DateTimeOffset now) =>
        _entries.TryGetValue(Digest.Of(token), out var entry) && now < entry.Until ? entry.Caller : null;

    public void Add(ReadOnlySpan<char> token, Caller caller, DateTimeOffset until, DateTimeOffset now)
    {
        if (_entries.Count >= Capacity) MakeRoom(now);
        _entries[Digest.Of(token)] = new Entry(caller, until);
    }

    private void MakeRoom(DateTimeOffset now)
    {
        lock (_turn)
        {
            if (_entries.Count < Capacity) return;
            foreach (var (digest, entry) in _entries)
            {
                if (entry.Until <= now) _entries.TryRemove(digest, out _);
            }

            // Those that must go cost one check of a signature each when they come again.
            foreach (var digest in _entries.Keys.Take(Math.Max(0, _entries.Count - (Capacity * 3 / 4)))) _entries.TryRemove(digest, out _);
        }
    }

    private sealed record Entry(Caller Caller, DateTimeOffset Until);

    private readonly record struct Digest(UInt128 High, UInt128 Low)
    {
        public static Digest Of(ReadOnlySpan<char> token)
        {
            var bytes = ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetMaxByteCount(token.Length));
            Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
            var length = Encoding.UTF8.GetBytes(token, bytes);
            SHA256.HashData(bytes.AsSpan(0, length), hash);
            CryptographicOperations.ZeroMemory(bytes.AsSpan(0, length));
            ArrayPool<byte>.Shared.Return(bytes);
            return new Digest(MemoryMarshal.Read<UInt128>(hash), MemoryMarshal.Read<UInt128>(hash[16..]));
        }
    }
}
