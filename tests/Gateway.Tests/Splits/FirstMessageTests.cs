using System.Buffers;
using System.IO.Compression;
using Google.Protobuf;
using MlOps.Contracts.OpenInference;
using MlOps.Gateway.Splits;
using Outcome = MlOps.Gateway.Splits.FirstMessage.Outcome;

namespace MlOps.Gateway.Tests.Splits;

public sealed class FirstMessageTests
{
    private static readonly ModelInferRequest Request = new() { ModelName = "flight-delay", Id = "1" };

    [Fact]
    public void The_name_is_read_from_field_one() =>
        Assert.Equal((Outcome.Named, "flight-delay"), Look(Framed(Request.ToByteArray())));

    [Fact]
    public void Every_shorter_prefix_asks_for_more_and_says_unread_at_the_end()
    {
        var framed = Framed(Request.ToByteArray());
        for (var length = 0; length < framed.Length; length++)
        {
            Assert.Equal(Outcome.NeedsMore, Look(framed[..length]).Outcome);
            Assert.Equal(Outcome.Unread, Look(framed[..length], isAll: true).Outcome);
        }
    }

    [Fact]
    public void A_version_of_the_callers_own_is_noticed_before_and_after_the_name()
    {
        Assert.Equal(Outcome.NamesVersion, Look(Framed(new ModelInferRequest { ModelName = "m", ModelVersion = "3" }.ToByteArray())).Outcome);
        Assert.Equal(Outcome.NamesVersion, Look(Framed([.. Text(2, "3"), .. Text(1, "m")])).Outcome);
    }

    [Fact]
    public void The_order_of_fields_does_not_matter()
    {
        byte[] reversed = [.. Text(7, "raw"), .. Text(5, "inputs"), .. Text(3, "id"), .. Text(1, "flight-delay")];
        Assert.Equal((Outcome.Named, "flight-delay"), Look(Framed(reversed)));
    }

    [Fact]
    public void Of_a_repeated_name_the_last_one_counts_as_in_protobuf()
    {
        byte[] twice = [.. Text(1, "first"), .. Text(3, "id"), .. Text(1, "second")];
        Assert.Equal("second", ModelInferRequest.Parser.ParseFrom(twice).ModelName);
        Assert.Equal((Outcome.Named, "second"), Look(Framed(twice)));
    }

    [Fact]
    public void All_wire_types_before_the_name_are_skipped()
    {
        // Field 9: 300 as a varint; field 10: 8 bytes; field 11: 4 bytes.
        byte[] message = [0x48, 0xAC, 0x02, 0x51, 1, 2, 3, 4, 5, 6, 7, 8, 0x5D, 1, 2, 3, 4, .. Text(1, "m")];
        Assert.Equal((Outcome.Named, "m"), Look(Framed(message)));
    }

    [Fact]
    public void A_name_at_the_start_of_a_large_message_is_read_from_its_first_bytes()
    {
        var framed = Framed([.. Text(1, "flight-delay"), .. Text(7, new string('x', 20_000_000))]);
        Assert.Equal(Outcome.NeedsMore, Look(framed[..4000]).Outcome);
        Assert.Equal((Outcome.Named, "flight-delay"), Look(framed[..(FirstMessage.HeaderBytes + FirstMessage.NearBytes)]));
    }

    [Theory]
    [InlineData(FirstMessage.NearBytes - 10)]
    [InlineData(FirstMessage.NearBytes + 10)]
    [InlineData(FirstMessage.FarBytes - 30)]
    public void A_name_behind_other_fields_is_found_within_the_far_limit(int before) =>
        Assert.Equal((Outcome.Named, "flight-delay"), Look(Framed([.. Text(7, new string('x', before)), .. Text(1, "flight-delay")])));

    [Fact]
    public void A_name_past_the_far_limit_stays_unread_however_much_has_arrived()
    {
        var framed = Framed([.. Text(7, new string('x', FirstMessage.FarBytes)), .. Text(1, "flight-delay")]);
        Assert.Equal(Outcome.Unread, Look(framed).Outcome);
        Assert.Equal(Outcome.Unread, Look(framed[..(FirstMessage.HeaderBytes + FirstMessage.FarBytes)]).Outcome);
    }

    [Fact]
    public void The_decision_does_not_depend_on_how_the_network_cut_the_bytes()
    {
        var random = new Random(11);
        for (var trial = 0; trial < 300; trial++)
        {
            byte[] body =
            [
                .. trial % 3 == 0 ? Text(5, new string('a', random.Next(6000))) : [],
                .. trial % 5 == 0 ? [] : Text(1, "model-a"),
                .. trial % 7 == 0 ? Text(2, "4") : [],
                .. Text(7, new string('b', random.Next(9000))),
                .. trial % 4 == 0 ? Text(1, "model-b") : [],
            ];
            var framed = Framed(body);
            var whole = Look(framed, isAll: true);
            for (var length = 0; length <= framed.Length; length += random.Next(1, 1500))
            {
                var partly = Look(framed[..length]);
                if (partly.Outcome != Outcome.NeedsMore) Assert.Equal(whole, partly);
            }

            Assert.Equal(whole, Look(framed, isAll: true, pieces: 97));
        }
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("deflate")]
    public void A_compressed_message_is_inflated_just_far_enough(string encoding)
    {
        var random = new Random(3);
        var noise = new byte[200_000];
        random.NextBytes(noise);
        byte[] message = [.. Text(1, "flight-delay"), .. Bytes(7, noise)];
        var framed = Framed(Compress(message, encoding), flag: 1);

        Assert.Equal((Outcome.Named, "flight-delay"), Look(framed, encoding: encoding));
        Assert.Equal(
            (Outcome.Named, "flight-delay"),
            Look(framed[..(FirstMessage.HeaderBytes + FirstMessage.NearBytes)], encoding: encoding));
    }

    [Fact]
    public void A_bomb_is_inflated_no_further_than_the_far_limit_and_garbage_is_unread()
    {
        Assert.Equal(Outcome.Unread, Look(Framed(Compress(Bytes(7, new byte[50_000_000]), "gzip"), flag: 1), encoding: "gzip").Outcome);
        Assert.Equal(Outcome.Unread, Look(Framed([1, 2, 3, 4, 5], flag: 1), encoding: "gzip").Outcome);
        Assert.Equal(Outcome.Unread, Look(Framed(Request.ToByteArray(), flag: 1), encoding: "zstd").Outcome);
        Assert.Equal(Outcome.Unread, Look(Framed(Request.ToByteArray(), flag: 1), encoding: "").Outcome);
    }

    [Fact]
    public void Any_bytes_at_all_give_a_decision_and_never_an_exception()
    {
        var random = new Random(5);
        for (var trial = 0; trial < 20_000; trial++)
        {
            var body = new byte[random.Next(64)];
            random.NextBytes(body);
            Assert.NotEqual(Outcome.NeedsMore, Look(Framed(body)).Outcome);
            Assert.NotEqual(Outcome.NeedsMore, Look(Framed(body, flag: 1), encoding: "gzip").Outcome);
        }
    }

    [Fact]
    public void A_name_longer_than_any_models_is_no_name() =>
        Assert.Equal((Outcome.Named, ""), Look(Framed(Text(1, new string('n', 256)))));

    private static (Outcome Outcome, string Name) Look(
        byte[] received, bool isAll = false, string? encoding = null, int pieces = int.MaxValue)
    {
        Span<char> name = new char[FirstMessage.MaxName];
        var outcome = FirstMessage.Look(Cut(received, pieces), isAll, encoding, name, out var length);
        return (outcome, name[..length].ToString());
    }

    private static byte[] Framed(byte[] message, byte flag = 0) =>
    [
        flag, (byte)(message.Length >> 24), (byte)(message.Length >> 16), (byte)(message.Length >> 8), (byte)message.Length,
        .. message,
    ];

    private static byte[] Text(int field, string text) => Bytes(field, System.Text.Encoding.UTF8.GetBytes(text));

    private static byte[] Bytes(int field, byte[] content)
    {
        using var stream = new MemoryStream();
        using var output = new CodedOutputStream(stream);
        output.WriteTag(field, WireFormat.WireType.LengthDelimited);
        output.WriteBytes(ByteString.CopyFrom(content));
        output.Flush();
        return stream.ToArray();
    }

    private static byte[] Compress(byte[] message, string encoding)
    {
        using var stream = new MemoryStream();
        using (Stream compressing = encoding == "gzip"
            ? new GZipStream(stream, CompressionLevel.Fastest)
            : new ZLibStream(stream, CompressionLevel.Fastest))
        {
            compressing.Write(message);
        }

        return stream.ToArray();
    }

    private static ReadOnlySequence<byte> Cut(byte[] bytes, int size)
    {
        if (bytes.Length <= size) return new ReadOnlySequence<byte>(bytes);
        var first = new Piece(bytes.AsMemory(0, size), 0);
        var last = first;
        for (var at = size; at < bytes.Length; at += size) last = last.Add(bytes.AsMemory(at, Math.Min(size, bytes.Length - at)));
        return new ReadOnlySequence<byte>(first, 0, last, last.Memory.Length);
    }

    private sealed class Piece : ReadOnlySequenceSegment<byte>
    {
        public Piece(ReadOnlyMemory<byte> memory, long index) => (Memory, RunningIndex) = (memory, index);

        public Piece Add(ReadOnlyMemory<byte> memory)
        {
            var next = new Piece(memory, RunningIndex + Memory.Length);
            Next = next;
            return next;
        }
    }
}
