using System.Buffers.Binary;
using System.Text;
using Google.Protobuf;
using MlOps.Contracts.OpenInference;
using MlOps.Contracts.Training.V1;
using MlOps.Gateway.Access;
using Finding = MlOps.Gateway.Access.MessageScan.Finding;

namespace MlOps.Gateway.Tests.Access;

public sealed class MessageScanTests
{
    [Fact]
    public void However_a_body_is_cut_every_message_tells_its_model()
    {
        var random = new Random(5);
        for (var round = 0; round < 300; round++)
        {
            var models = Enumerable.Range(0, random.Next(1, 5)).Select(i => i == 2 ? "" : $"model-{random.Next(1000)}").ToArray();
            var body = models.SelectMany(m => Framed(Message(m, random))).ToArray();

            var found = Scan([1], Cut(body, random));

            // A serialiser leaves an empty field out.
            Assert.Equal(models.SelectMany(m => m.Length > 0 ? new[] { m, "." } : ["."]), found);
        }
    }

    [Fact]
    public void A_name_within_a_message_within_is_found()
    {
        var random = new Random(6);
        var request = new SubmitPipelineRequest
        {
            RequestId = "an id",
            Pipeline = new Pipeline { Model = "fraud", Search = new Search { Trials = 300 }, Seed = ulong.MaxValue, Experiment = "fraud-2" },
        };
        for (var round = 0; round < 100; round++)
            Assert.Equal(["fraud", "."], Scan([2, 1], Cut(Framed(request.ToByteArray()), random)));
        Assert.Equal(["."], Scan([2, 1], [Framed(new SubmitPipelineRequest { Pipeline = new Pipeline() }.ToByteArray())]));
        Assert.Equal(["."], Scan([2, 1], [Framed(new SubmitPipelineRequest { Pipeline = new Pipeline { Experiment = "x" } }.ToByteArray())]));
    }

    [Fact]
    public void A_field_that_comes_twice_hides_nothing()
    {
        byte[] twice =
        [
            .. new ModelInferRequest { ModelName = "mine" }.ToByteArray(),
            .. new ModelInferRequest { Id = new string('x', 100_000) }.ToByteArray(),
            .. new ModelInferRequest { ModelName = "yours" }.ToByteArray(),
        ];
        Assert.Equal("yours", ModelInferRequest.Parser.ParseFrom(twice).ModelName);
        Assert.Equal(["mine", "yours", "."], Scan([1], [Framed(twice)]));

        byte[] merged =
        [
            .. new SubmitPipelineRequest { Pipeline = new Pipeline { Model = "mine" } }.ToByteArray(),
            .. new SubmitPipelineRequest { Pipeline = new Pipeline { Model = "yours" } }.ToByteArray(),
        ];
        Assert.Equal(["mine", "yours", "."], Scan([2, 1], [Framed(merged)]));
        Assert.Equal(["", "mine", "."], Scan([1], [Framed([0x0A, 0, .. new ModelInferRequest { ModelName = "mine" }.ToByteArray()])]));
    }

    [Theory]
    [InlineData(new byte[] { 0x0B, 0x0C })] // a group
    [InlineData(new byte[] { 0x0A, 0x05, 0x61 })] // a name longer than its message
    [InlineData(new byte[] { 0x0A })] // cut off after a tag
    [InlineData(new byte[] { 0x08, 0x80 })] // within a number
    [InlineData(new byte[] { 0x00, 0x01 })] // field 0
    [InlineData(new byte[] { 0x8A, 0x80, 0x80, 0x80, 0x80, 0x00, 0x01, 0x61 })] // a tag of six bytes
    [InlineData(new byte[] { 0x8A, 0x80, 0x80, 0x80, 0x10, 0x01, 0x61 })] // a tag that a parser may cut to field 1
    [InlineData(new byte[] { 0x0A, 0x81, 0x80, 0x80, 0x80, 0x10, 0x61 })] // a length that a parser may cut to 1
    [InlineData(new byte[] { 0x09, 1, 2, 3 })] // 3 bytes of 8
    public void What_can_be_read_in_two_ways_is_malformed(byte[] message)
    {
        Assert.Equal("malformed", Scan([1], [Framed(message)])[^1]);
        Assert.Equal("malformed", Scan([1], Framed(message).Select(b => new[] { b }))[^1]);
    }

    [Fact]
    public void A_message_within_may_not_reach_beyond_itself()
    {
        // Field 2, two bytes long, that begins a name of ten.
        byte[] beyond = [0x12, 0x02, 0x0A, 0x0A, .. Encoding.ASCII.GetBytes("0123456789")];
        Assert.Equal("malformed", Scan([2, 1], [Framed(beyond)])[^1]);
        // Field 2, one byte long: a tag without its length.
        Assert.Equal("malformed", Scan([2, 1], [Framed([0x12, 0x01, 0x0A, 0x12, 0x00])])[^1]);
    }

    [Fact]
    public void A_compressed_message_is_handed_on_whole()
    {
        byte[] body = [1, 0, 0, 0, 3, 7, 8, 9, .. Framed(new ModelInferRequest { ModelName = "m" }.ToByteArray())];
        Assert.Equal(["<7>", "<8>", "<9>", "compressed.", "m", "."], Scan([1], body.Select(b => new[] { b })));
        Assert.Equal("malformed", Scan([1], [[2, 0, 0, 0, 0]])[^1]);
    }

    private static byte[] Message(string model, Random random)
    {
        var message = new ModelInferRequest { ModelName = model, Id = $"{random.Next()}" };
        for (var i = 0; i < random.Next(3); i++)
        {
            message.Inputs.Add(new ModelInferRequest.Types.InferInputTensor
            {
                Name = $"input {i}",
                Datatype = "FP32",
                Shape = { random.Next(), 1 },
                Contents = new InferTensorContents { Fp32Contents = { 1, 2, 3 }, Fp64Contents = { 1 } },
            });
        }

        return message.ToByteArray();
    }

    private static byte[] Framed(byte[] message)
    {
        var framed = new byte[5 + message.Length];
        BinaryPrimitives.WriteInt32BigEndian(framed.AsSpan(1), message.Length);
        message.CopyTo(framed, 5);
        return framed;
    }

    private static IEnumerable<byte[]> Cut(byte[] body, Random random)
    {
        for (var at = 0; at < body.Length;)
        {
            var length = Math.Min(random.Next(1, 40), body.Length - at);
            yield return body[at..(at + length)];
            at += length;
        }
    }

    private static List<string> Scan(int[] fields, IEnumerable<byte[]> chunks)
    {
        var scan = new MessageScan(fields);
        var found = new List<string>();
        foreach (var bytes in chunks)
        {
            ReadOnlySpan<byte> chunk = bytes;
            while (scan.Next(ref chunk, out var piece) is var finding and not Finding.NeedsMore)
            {
                found.Add(finding switch
                {
                    Finding.Named => Encoding.UTF8.GetString(scan.Name),
                    Finding.Ended => ".",
                    Finding.Compressed => $"<{string.Join(' ', piece.ToArray())}>",
                    Finding.CompressedEnded => "compressed.",
                    _ => "malformed",
                });
                if (finding == Finding.Malformed) return found;
            }
        }

        return found;
    }
}
