using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using MlOps.Contracts.Tables.V1;
using MlOps.FeatureStore.Tables;
using Npgsql;

namespace MlOps.FeatureStore.Online;

/// <summary>All features of one entity in one view, packed for the online store.</summary>
/// <remarks>
/// Layout 1: the version (1 byte); the time it was known at and the event time (µs, 8 bytes each, big-endian with the sign bit
/// turned, so that bytes sort as times do); a bitmap of the features that have a value, least significant bit first; then
/// those values in the view's order: 8 bytes little-endian for numbers and times, 1 byte for booleans, 4 bytes of
/// length and UTF-8 for texts.
/// </remarks>
internal static class OnlineValue
{
    public const byte Version = 1;

    private const int HeaderLength = 17;

    /// <summary>Packs the fields of a row from <paramref name="first"/> on.</summary>
    public static byte[] Pack(
        ArrayBufferWriter<byte> writer, long asOf, long eventTime, NpgsqlDataReader row, int first, IReadOnlyList<Field> features)
    {
        writer.ResetWrittenCount();
        var bitmapLength = (features.Count + 7) / 8;
        var header = writer.GetSpan(HeaderLength + bitmapLength)[..(HeaderLength + bitmapLength)];
        header.Clear();
        header[0] = Version;
        BinaryPrimitives.WriteInt64BigEndian(header[1..], asOf ^ long.MinValue);
        BinaryPrimitives.WriteInt64BigEndian(header[9..], eventTime ^ long.MinValue);
        for (var feature = 0; feature < features.Count; feature++)
            if (!row.IsDBNull(first + feature))
                header[HeaderLength + (feature >> 3)] |= (byte)(1 << (feature & 7));
        writer.Advance(header.Length);
        for (var feature = 0; feature < features.Count; feature++)
            if (!row.IsDBNull(first + feature))
                Write(writer, row, first + feature, features[feature].Type);
        return writer.WrittenSpan.ToArray();
    }

    /// <summary>Starts to read a value; false for one that is no value of this layout.</summary>
    public static bool TryOpen(ReadOnlySpan<byte> value, int features, out Reader reader)
    {
        reader = default;
        var valuesAt = HeaderLength + (features + 7) / 8;
        if (value.Length < valuesAt || value[0] != Version)
            return false;
        reader = new(value, valuesAt);
        return true;
    }

    private static void Write(ArrayBufferWriter<byte> writer, NpgsqlDataReader row, int field, ColumnType type)
    {
        switch (type)
        {
            case ColumnType.Boolean:
                writer.Write([row.GetBoolean(field) ? (byte)1 : (byte)0]);
                break;
            case ColumnType.Text:
                var text = row.GetString(field);
                BinaryPrimitives.WriteInt32LittleEndian(writer.GetSpan(4), Encoding.UTF8.GetByteCount(text));
                writer.Advance(4);
                Encoding.UTF8.GetBytes(text, writer);
                break;
            default:
                BinaryPrimitives.WriteInt64LittleEndian(writer.GetSpan(8), type switch
                {
                    ColumnType.Double => BitConverter.DoubleToInt64Bits(row.GetDouble(field)),
                    ColumnType.Time => Micros.From(row.GetDateTime(field)),
                    _ => row.GetInt64(field),
                });
                writer.Advance(8);
                break;
        }
    }

    /// <summary>Walks over the features in the view's order.</summary>
    internal ref struct Reader(ReadOnlySpan<byte> value, int position)
    {
        private readonly ReadOnlySpan<byte> _value = value;
        private int _position = position;

        public readonly long EventTime => BinaryPrimitives.ReadInt64BigEndian(_value[9..]) ^ long.MinValue;

        public readonly bool HasValue(int feature) => (_value[HeaderLength + (feature >> 3)] >> (feature & 7) & 1) != 0;

        /// <summary>The bytes of the next feature that has a value; of a text, without its length.</summary>
        public ReadOnlySpan<byte> Next(ColumnType type)
        {
            var length = type == ColumnType.Boolean ? 1 : 8;
            if (type == ColumnType.Text)
            {
                length = BinaryPrimitives.ReadInt32LittleEndian(_value[_position..]);
                _position += 4;
            }

            var bytes = _value.Slice(_position, length);
            _position += length;
            return bytes;
        }
    }
}
