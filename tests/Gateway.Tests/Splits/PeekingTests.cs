using System.IO.Compression;
using System.Net;
using Google.Protobuf;
using Grpc.Net.Client;
using Grpc.Net.Compression;
using MlOps.Contracts.OpenInference;
using MlOps.TestServers;

namespace MlOps.Gateway.Tests.Splits;

/// <summary>The gateway reads the model's name out of a call, and the service still gets every byte of it.</summary>
public sealed class PeekingTests(Platform<PeekingTests> platform) : IClassFixture<Platform<PeekingTests>>
{
    private const string Path = "/inference.GRPCInferenceService/ModelInfer";

    private static readonly byte[] Small = new ModelInferRequest
    {
        ModelName = "peeked",
        RawInputContents = { ByteString.CopyFromUtf8("some input") },
    }.ToByteArray();

    [ServerFact]
    public async Task A_frame_that_arrives_byte_by_byte_is_read_and_passed_on_whole()
    {
        await PutAsync();
        var framed = Framed(Small);
        var seen = await SendAsync([.. framed.Select(b => new[] { b })]);
        Assert.Equal("only", seen.Variant);
        Assert.Equal(Small, seen.Body);
    }

    [ServerFact]
    public async Task A_name_behind_other_fields_is_read_even_far_into_the_message()
    {
        await PutAsync();
        byte[] reversed = [.. Field(7, new byte[40_000]), .. Field(1, "peeked"u8.ToArray())];
        var seen = await SendAsync(Framed(reversed).Chunk(5000));
        Assert.Equal("only", seen.Variant);
        Assert.Equal(ModelInferRequest.Parser.ParseFrom(reversed), ModelInferRequest.Parser.ParseFrom(seen.Body));
    }

    [ServerFact]
    public async Task A_name_out_of_sight_or_none_at_all_leaves_the_call_to_the_default_version()
    {
        await PutAsync();
        byte[] far = [.. Field(7, new byte[300_000]), .. Field(1, "peeked"u8.ToArray())];
        var seen = await SendAsync(Framed(far).Chunk(16_000));
        Assert.Null(seen.Variant);
        Assert.Null(seen.Version);
        Assert.Equal("peeked", ModelInferRequest.Parser.ParseFrom(seen.Body).ModelName);
        Assert.Equal(300_000, ModelInferRequest.Parser.ParseFrom(seen.Body).RawInputContents[0].Length);

        Assert.Null((await SendAsync([Framed([])])).Variant);
        Assert.Contains("mlops_gateway_unread", await platform.Gateway.Rest.GetStringAsync("/metrics"), StringComparison.Ordinal);
    }

    [ServerFact]
    public async Task A_large_message_with_its_name_first_passes_whole()
    {
        await PutAsync();
        var input = new byte[20_000_000];
        new Random(7).NextBytes(input);
        var answer = await Client().ModelInferAsync(
            new ModelInferRequest { ModelName = "peeked", RawInputContents = { ByteString.CopyFrom(input) } }, deadline: Samples.Soon);
        Assert.Equal("only", answer.Id);
        Assert.True(answer.RawOutputContents[0].Span.SequenceEqual(input));
    }

    [ServerFact]
    public async Task A_compressed_message_is_split_like_any_other()
    {
        await PutAsync();
        using var channel = GrpcChannel.ForAddress(platform.Gateway.Grpc, new GrpcChannelOptions
        {
            CompressionProviders = [new GzipCompressionProvider(CompressionLevel.Fastest)],
        });
        var answer = await new GRPCInferenceService.GRPCInferenceServiceClient(channel).ModelInferAsync(
            new ModelInferRequest { ModelName = "peeked", RawInputContents = { ByteString.CopyFrom(new byte[500_000]) } },
            new Grpc.Core.Metadata { { "grpc-internal-encoding-request", "gzip" } }, Samples.Soon);
        Assert.Equal("only", answer.Id);
        Assert.Equal(500_000, answer.RawOutputContents[0].Length);
    }

    [ServerFact]
    public async Task Many_calls_at_once_on_one_connection_all_arrive_whole()
    {
        await PutAsync();
        await Parallel.ForAsync(0, 400, new ParallelOptions { MaxDegreeOfParallelism = 100 }, async (i, ct) =>
        {
            var input = new byte[i % 4 == 0 ? 150_000 : 20];
            input.AsSpan().Fill((byte)i);
            var answer = await Client().ModelInferAsync(
                new ModelInferRequest { ModelName = "peeked", RawInputContents = { ByteString.CopyFrom(input) } },
                deadline: Samples.Soon, cancellationToken: ct);
            Assert.Equal("only", answer.Id);
            Assert.True(answer.RawOutputContents[0].Span.SequenceEqual(input));
        });
    }

    [ServerFact]
    public async Task Status_and_trailers_of_the_service_come_through()
    {
        await PutAsync();
        using var call = Client().ModelInferAsync(new ModelInferRequest { ModelName = "peeked" }, deadline: Samples.Soon);
        await call;
        Assert.Equal("kept", call.GetTrailers().GetValue("peer-trailer"));

        var failure = await Assert.ThrowsAsync<Grpc.Core.RpcException>(async () =>
            await Client().ModelInferAsync(new ModelInferRequest { ModelName = "peeked", Id = "fail" }, deadline: Samples.Soon));
        Assert.Equal(Grpc.Core.StatusCode.NotFound, failure.StatusCode);
        Assert.Equal("no such model", failure.Status.Detail);
    }

    [ServerFact]
    public async Task A_call_that_ends_before_its_first_message_harms_nobody()
    {
        await PutAsync();
        using var none = await PostAsync([]);
        Assert.Equal("only", (await SendAsync([Framed(Small)])).Variant);
    }

    private GRPCInferenceService.GRPCInferenceServiceClient Client() => new(platform.Gateway.Channel);

    private async Task PutAsync() => await platform.Gateway.Policies.PutAsync(Samples.Only("peeked", "1"));

    private async Task<Seen> SendAsync(IEnumerable<byte[]> pieces)
    {
        platform.Peer.Requests.Clear();
        using var response = await PostAsync(pieces);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        var status = response.TrailingHeaders.TryGetValues("grpc-status", out var trailer) ? trailer : response.Headers.GetValues("grpc-status");
        Assert.Equal(["0"], status);
        return Assert.Single(platform.Peer.Requests);
    }

    private async Task<HttpResponseMessage> PostAsync(IEnumerable<byte[]> pieces)
    {
        using var client = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(platform.Gateway.Grpc, Path))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new Pieces(pieces),
        };
        request.Headers.TE.ParseAdd("trailers");
        var response = await client.SendAsync(request);
        await response.Content.LoadIntoBufferAsync();
        return response;
    }

    private static byte[] Framed(byte[] message) =>
    [
        0, (byte)(message.Length >> 24), (byte)(message.Length >> 16), (byte)(message.Length >> 8), (byte)message.Length, .. message,
    ];

    private static byte[] Field(int number, byte[] content)
    {
        using var stream = new MemoryStream();
        using var output = new CodedOutputStream(stream);
        output.WriteTag(number, WireFormat.WireType.LengthDelimited);
        output.WriteBytes(ByteString.CopyFrom(content));
        output.Flush();
        return stream.ToArray();
    }

    /// <summary>A body whose every piece is a frame of its own on the wire.</summary>
    private sealed class Pieces : HttpContent
    {
        private readonly IEnumerable<byte[]> _pieces;

        public Pieces(IEnumerable<byte[]> pieces)
        {
            _pieces = pieces;
            Headers.ContentType = new("application/grpc");
        }

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            foreach (var piece in _pieces)
            {
                await stream.WriteAsync(piece);
                await stream.FlushAsync();
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
