using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Google.Protobuf;
using Grpc.Core;
using MlOps.Contracts.OpenInference;
using MlOps.TestServers;

namespace MlOps.Inference.Tests;

/// <summary>
/// Good requests with random faults. The seed is fixed; MLOPS_FUZZ_REQUESTS asks for more than the usual 5,000.
/// </summary>
[Collection(nameof(InferenceFixture))]
public sealed class FuzzTests(InferenceFixture services)
{
    private const int Seed = 20_261;
    private const int Callers = 4;
    private static readonly int Requests = int.Parse(
        Environment.GetEnvironmentVariable("MLOPS_FUZZ_REQUESTS") ?? "5000", CultureInfo.InvariantCulture);

    private static readonly byte[][] Tokens =
        [.. ((string[])["null", "-1", "9223372036854775807", "1e999", "[", "]", "{", "}", "\"", ",", "\\ud800", "true", "[[]]", "\"BYTES\"", "\"name\"", "0.5"])
            .Select(Encoding.UTF8.GetBytes)];

    private static readonly Tensor[] TwoRows =
        [Tensor.Fp32("distance", 100, float.NaN), Tensor.Fp32("hour", 1, 2), Tensor.Bytes("origin", "ATL", "Zürich")];

    [ServerFact]
    public async Task Requests_with_random_faults_are_answered_or_refused_and_the_next_good_one_is_answered()
    {
        var model = await services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature);
        var faults = new ConcurrentQueue<string>();

        await Task.WhenAll(Enumerable.Range(0, Callers).Select(caller => Task.Run(async () =>
        {
            var random = new Random(Seed + caller);
            for (var i = 0; i < Requests / Callers && faults.IsEmpty; i++)
            {
                var fault = random.Next(3) == 0 ? await SendGrpcAsync(model, random) : await SendRestAsync(model, random);
                if (fault is not null) faults.Enqueue($"caller {caller}, request {i}: {fault}");
            }
        })));

        Assert.True(faults.IsEmpty, string.Join('\n', faults));
        Assert.True(services.Inference.IsRunning);
        var rest = await services.Http.PostBinaryAsync($"v2/models/{model}/infer", BinaryRequest.Of(TwoRows));
        var grpc = await services.Tensors.ModelInferAsync(Tensor.ToRequest(model, isRaw: true, TwoRows));
        Assert.Equal(HttpStatusCode.OK, rest.Status);
        Assert.Equal(grpc.RawOutputContents.Single().ToByteArray(), rest.Tensors.Single());
    }

    private async Task<string?> SendRestAsync(string model, Random random)
    {
        var (json, binary) = BinaryRequest.Of(TwoRows);
        var (path, body, header) = random.Next(5) switch
        {
            0 => ($"v2/models/{model}/infer", Encoding.UTF8.GetBytes(Tensor.ToJson(TwoRows)), null),
            1 => ($"v2/models/{model}/infer", json.Concat(binary).ToArray(), $"{json.Length}"),
            2 => ($"v1/models/{model}:predict", """{"instances":[{"distance":1,"hour":2,"origin":"ATL"},[1,2,"ORD"]]}"""u8.ToArray(), null),
            3 => ("invocations", """{"dataframe_split":{"columns":["distance","hour","origin"],"data":[[1,2,"a"],[null,4,"b"]]}}"""u8.ToArray(), null),
            _ => ("v2/repository/index", """{"ready":true}"""u8.ToArray(), null),
        };
        if (header is not null && random.Next(8) == 0) header = $"{random.Next(-2, body.Length + 5)}";
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(path, UriKind.Relative)) { Content = new ByteArrayContent(Mutate(body, random)) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        request.Headers.TryAddWithoutValidation("x-mlops-model", model);
        if (random.Next(20) == 0) request.Content.Headers.ContentEncoding.Add(random.Next(2) == 0 ? "gzip" : "deflate");
        if (header is not null) request.Headers.TryAddWithoutValidation("Inference-Header-Content-Length", header);
        using var answer = await services.Http.SendAsync(request);
        var status = (int)answer.StatusCode;
        return status < 500 || status is 501 or 503
            ? null
            : $"{path} answered {status}: {await answer.Content.ReadAsStringAsync()}\n{await request.Content.ReadAsStringAsync()}";
    }

    private async Task<string?> SendGrpcAsync(string model, Random random)
    {
        var good = Tensor.ToRequest(model, random.Next(2) == 0, TwoRows);
        ModelInferRequest request;
        try
        {
            request = ModelInferRequest.Parser.ParseFrom(Mutate(good.ToByteArray(), random));
        }
        catch (InvalidProtocolBufferException)
        {
            return null; // No message at all; no client can send it.
        }

        try
        {
            await services.Tensors.ModelInferAsync(request);
            return null;
        }
        catch (RpcException e)
        {
            return e.StatusCode is StatusCode.Internal or StatusCode.Unknown ? $"{e.Status}\n{request}" : null;
        }
    }

    private static byte[] Mutate(byte[] good, Random random)
    {
        var bytes = good.ToList();
        for (var faults = random.Next(1, 4); faults > 0 && bytes.Count > 0; faults--)
        {
            var at = random.Next(bytes.Count);
            switch (random.Next(6))
            {
                case 0: bytes[at] = (byte)random.Next(256); break;
                case 1: bytes[at] ^= (byte)(1 << random.Next(8)); break;
                case 2: bytes.RemoveRange(at, Math.Min(random.Next(1, 9), bytes.Count - at)); break;
                case 3: bytes.InsertRange(at, Tokens[random.Next(Tokens.Length)]); break;
                case 4: bytes.InsertRange(at, bytes.GetRange(at, Math.Min(random.Next(1, 33), bytes.Count - at))); break;
                default: bytes.RemoveRange(at, bytes.Count - at); break;
            }
        }

        return [.. bytes];
    }
}
