using System.Buffers.Binary;

namespace MlOps.Numerics.Assignment;

/// <summary>
/// Whether an id belongs to a sample, the same in every service and for ever. A sample of a larger share holds every
/// smaller one.
/// </summary>
public static class SampleHash
{
    private const double Steps = 1L << 53;

    /// <summary>
    /// Place of a 16-byte id in [0, 1), in steps of 2^−53: both big-endian halves h, l become mix(mix(h) ⊕ l), whose upper
    /// 53 bits count. mix is the 64-bit finaliser of MurmurHash3 (Appleby), under which every bit of the id moves every
    /// bit of the place: the time in front of a version 7 UUID too. Allocates nothing.
    /// </summary>
    public static double Place(Guid id)
    {
        Span<byte> bytes = stackalloc byte[16];
        id.TryWriteBytes(bytes, bigEndian: true, out _);
        var high = BinaryPrimitives.ReadUInt64BigEndian(bytes);
        var low = BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]);
        return (Mix(Mix(high) ^ low) >> 11) / Steps;
    }

    /// <summary>Whether the id is in the sample of this share: 0 takes none, 1 all.</summary>
    public static bool IsTaken(Guid id, double share) => share >= 1 || Place(id) < share;

    private static ulong Mix(ulong bits)
    {
        unchecked
        {
            bits = (bits ^ (bits >> 33)) * 0xFF51AFD7ED558CCD;
            bits = (bits ^ (bits >> 33)) * 0xC4CEB9FE1A85EC53;
            return bits ^ (bits >> 33);
        }
    }
}
