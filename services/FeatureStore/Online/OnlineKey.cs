using System.Buffers;
using System.Buffers.Text;
using System.Runtime.CompilerServices;
using System.Text;
using Microsoft.Extensions.Options;
using MlOps.FeatureStore.Definitions;
using StackExchange.Redis;

namespace MlOps.FeatureStore.Online;

/// <summary>
/// The one builder of keys in the online store: <c>mlops:v1:delays:1f0c9a3b:3:DTW</c>, that is prefix, layout version, view,
/// the view's fingerprint, and each join key with its length in bytes, so that no two entities share a key.
/// </summary>
/// <remarks>The fingerprint keeps values packed for another definition of the view from ever being read as this one's.</remarks>
internal sealed class OnlineKey(IOptions<OnlineOptions> options)
{
    private readonly string _prefix = options.Value.KeyPrefix;

    // Kept as long as the definition itself, and no longer.
    private readonly ConditionalWeakTable<ViewDefinition, byte[]> _prefixes = [];

    public byte[] Prefix(ViewDefinition view) => _prefixes.GetValue(
        view, view => Encoding.UTF8.GetBytes($"{_prefix}:v{OnlineValue.Version}:{view.Name}:{view.Fingerprint}"));

    public static RedisKey Of(ReadOnlySpan<byte> prefix, ReadOnlySpan<string> keys)
    {
        var most = prefix.Length;
        foreach (var key in keys)
            most += 12 + Encoding.UTF8.GetMaxByteCount(key.Length);
        var rented = ArrayPool<byte>.Shared.Rent(most);
        prefix.CopyTo(rented);
        var length = prefix.Length;
        foreach (var key in keys)
        {
            rented[length++] = (byte)':';
            Utf8Formatter.TryFormat(Encoding.UTF8.GetByteCount(key), rented.AsSpan(length), out var digits);
            length += digits;
            rented[length++] = (byte)':';
            length += Encoding.UTF8.GetBytes(key, rented.AsSpan(length));
        }

        var bytes = rented.AsSpan(0, length).ToArray();
        ArrayPool<byte>.Shared.Return(rented);
        return bytes;
    }
}
