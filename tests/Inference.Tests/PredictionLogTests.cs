using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using MlOps.Contracts.Monitoring.V1;
using MlOps.Contracts.OpenInference;
using MlOps.TestServers;

namespace MlOps.Inference.Tests;

[Collection(nameof(InferenceFixture))]
public sealed class PredictionLogTests(InferenceFixture services)
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);
    private static readonly Tensor[] One = [Tensor.Fp32("x", 1)];

    [ServerFact]
    public async Task A_record_says_what_was_asked_and_answered()
    {
        var prefix = InferenceFixture.NewName("log");
        await using var log = await LoggedPredictions.ListenAsync(prefix);
        await using var replica = await services.StartInferenceAsync(services.NewFolder("log"), prefix);
        using var http = new HttpClient { BaseAddress = replica.Http };
        var model = await services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature);
        var rows = Enumerable.Range(0, 700).ToArray();
        var reply = await http.PostJsonAsync(
            $"v2/models/{model}/infer",
            Tensor.ToJson(
            [
                Tensor.Fp32("distance", [.. rows.Select(r => r % 7 == 0 ? float.NaN : r * 1.1f)]),
                Tensor.Fp32("hour", [.. rows.Select(r => r / 3f)]),
                Tensor.Bytes("origin", [.. rows.Select(r => new string('Ü', r))]),
            ]),
            ("x-mlops-variant", "canary"), ("x-mlops-subject", "passenger 7"));

        Assert.Equal(HttpStatusCode.OK, reply.Status);
        await Eventually.Async(() => log.Records.Count > 0, Deadline, "the record arrives");
        var record = log.Records.Single();
        Assert.Equal(reply.Header("x-mlops-prediction-id"), log.Ids.Single());
        Assert.Equal((model, "1", "canary", "rest"), (record.Model, record.Version, record.Variant, record.Mode));
        Assert.Equal(
            Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes("passenger 7")))[..32], record.SubjectHash);
        Assert.True(record.LatencyMicros > 0);
        Assert.Equal(["distance", "hour", "origin"], record.Inputs.Columns.Select(c => c.Name));
        Assert.Equal(rows.Select(r => r % 7 == 0 ? double.NaN : (double)(r * 1.1f)), record.Inputs.Columns[0].Doubles.Values);
        Assert.Equal(rows.Select(r => (double)(r / 3f)), record.Inputs.Columns[1].Doubles.Values);
        Assert.Equal(rows.Select(r => new string('Ü', r)), record.Inputs.Columns[2].Texts.Values);
        Assert.Equal(
            reply.Json.GetProperty("outputs")[0].GetProperty("data").EnumerateArray().Select(v => (double)v.GetSingle()),
            record.Predictions);
    }

    [ServerFact]
    public async Task Kill_minus_9_under_load_loses_nothing_answered_and_doubles_nothing()
    {
        var prefix = InferenceFixture.NewName("log");
        await using var log = await LoggedPredictions.ListenAsync(prefix);
        await using var replica = await services.StartInferenceAsync(services.NewFolder("log"), prefix);
        var client = new GRPCInferenceService.GRPCInferenceServiceClient(services.Channel(replica.Grpc));
        var model = await services.NewModelAsync(Graphs.Times(2), Graphs.TimesSignature);
        var answered = new ConcurrentBag<string>();

        for (var life = 0; life < 3; life++)
        {
            var target = answered.Count + 400;
            var load = Enumerable.Range(0, 4).Select(_ => Task.Run(() => AskUntilKilledAsync(client, model, answered))).ToArray();
            await Eventually.Async(() => answered.Count > target, Deadline, "predictions are answered");
            await replica.KillAsync();
            await Task.WhenAll(load);
            await replica.StartAgainAsync();
        }

        await Eventually.Async(() => answered.Except(log.Ids).Any() == false, Deadline, "every answered prediction is in the log");
        Assert.Equal(log.Ids.Count, log.Ids.Distinct().Count());
        Assert.False(log.HasContradiction);
    }

    [ServerFact]
    public async Task Predictions_go_on_while_the_broker_is_away_and_reach_the_log_when_it_is_back()
    {
        var broker = new Uri(Servers.RabbitMq);
        await using var relay = new TcpRelay(FreePorts.Take(), broker.Host, broker.Port);
        var prefix = InferenceFixture.NewName("log");
        await using var log = await LoggedPredictions.ListenAsync(prefix);
        await using var replica = await services.StartInferenceAsync(
            services.NewFolder("log"), prefix, new UriBuilder(broker) { Host = "127.0.0.1", Port = relay.Port }.Uri.ToString());
        using var http = new HttpClient { BaseAddress = replica.Http };
        var model = await services.NewModelAsync(Graphs.Times(2), Graphs.TimesSignature);
        List<string> answered = [await AskAsync(http, model)];
        await Eventually.Async(() => log.Ids.Count == 1, Deadline, "the wire works");

        relay.Cut();
        for (var i = 0; i < 50; i++) answered.Add(await AskAsync(http, model));
        await Eventually.Async(async () => await BacklogAsync(http) > 0, Deadline, "the backlog is told");
        Assert.Contains("\"degraded\"", await http.GetStringAsync(new Uri("health", UriKind.Relative)), StringComparison.Ordinal);
        relay.Mend();

        await Eventually.Async(() => log.Ids.Count >= answered.Count, Deadline, "all arrive");
        Assert.Equal(answered.Order(), log.Ids.Order());
        await Eventually.Async(async () => await BacklogAsync(http) == 0, Deadline, "nothing waits any more");
    }

    [ServerFact]
    public async Task What_no_queue_wants_yet_waits_for_one()
    {
        var prefix = InferenceFixture.NewName("log");
        var folder = services.NewFolder("log");
        await using var replica = await services.StartInferenceAsync(folder, prefix);
        using var http = new HttpClient { BaseAddress = replica.Http };
        var model = await services.NewModelAsync(Graphs.Times(2), Graphs.TimesSignature);
        var id = await AskAsync(http, model);
        await Eventually.Async(() => replica.Log.Contains("the broker did not take it", StringComparison.Ordinal), Deadline);

        await using var log = await LoggedPredictions.ListenAsync(prefix);
        await Eventually.Async(() => log.Ids.Contains(id), Deadline, "it arrives");
        Assert.Equal(0, await replica.StopAsync());
        Assert.Empty(Directory.EnumerateFiles(folder, "*.batch", SearchOption.AllDirectories));
    }

    [ServerFact]
    public async Task The_largest_request_reaches_the_log_and_a_larger_one_is_refused()
    {
        var prefix = InferenceFixture.NewName("log");
        await using var log = await LoggedPredictions.ListenAsync(prefix);
        await using var replica = await services.StartInferenceAsync(services.NewFolder("log"), prefix);
        using var channel = GrpcChannel.ForAddress(replica.Grpc, new GrpcChannelOptions { MaxReceiveMessageSize = null });
        var client = new GRPCInferenceService.GRPCInferenceServiceClient(channel);
        // As the log has it, a negative integer is the widest value.
        var model = await services.NewModelAsync(Graphs.Echo(7), Graphs.EchoSignature("INT64"));
        var text = await services.NewModelAsync(Graphs.Echo(8), Graphs.EchoSignature("BYTES"));

        var answer = await client.ModelInferAsync(OfRows(333_333));
        var refused = await Assert.ThrowsAsync<RpcException>(() => client.ModelInferAsync(OfRows(333_334)).ResponseAsync);
        var longText = Tensor.ToRequest(text, isRaw: true, [new Tensor("x", "BYTES", [1, 2], new string('t', 8_000_000), "")]);
        var refusedText = await Assert.ThrowsAsync<RpcException>(() => client.ModelInferAsync(longText).ResponseAsync);

        Assert.All([refused, refusedText], e =>
        {
            Assert.Equal(StatusCode.InvalidArgument, e.StatusCode);
            Assert.Equal("TOO_MANY_VALUES", e.Trailers.GetValue("mlops-code"));
        });
        await Eventually.Async(() => log.Ids.Count >= 3, Deadline, "the records arrive");
        var records = log.Records;
        var answered = records.Single(r => r.Failure.Length == 0);
        Assert.Equal(answer.Parameters["prediction_id"].StringParam, Convert.ToHexStringLower(answered.PredictionId.Span));
        Assert.Equal(333_333, answered.Predictions.Count);
        Assert.Equal(["TOO_MANY_VALUES", "TOO_MANY_VALUES"], records.Where(r => r.Failure.Length > 0).Select(r => r.Failure));
        Assert.All(records.Where(r => r.Failure.Length > 0), r => Assert.True(r.Inputs is null));

        ModelInferRequest OfRows(int rows)
        {
            var bytes = new byte[rows * 2 * sizeof(long)];
            bytes.AsSpan().Fill(0xFF);
            var request = Tensor.ToRequest(model, isRaw: true, [new Tensor("x", "INT64", [rows, 2])]);
            request.RawInputContents[0] = ByteString.CopyFrom(bytes);
            return request;
        }
    }

    [ServerFact]
    public async Task A_segment_too_large_for_the_broker_is_set_aside_and_those_behind_it_go_on()
    {
        var prefix = InferenceFixture.NewName("log");
        await using var log = await LoggedPredictions.ListenAsync(prefix);
        var folder = services.NewFolder("log");
        var huge = new PredictionBatch { Records = { new PredictionRecord { Model = new string('m', 17 << 20) } } };
        var path = Path.Combine(Directory.CreateDirectory(Path.Combine(folder, "journal", "0")).FullName, $"{Guid.Empty:N}.batch");
        await File.WriteAllBytesAsync(path, huge.ToByteArray());

        await using var replica = await services.StartInferenceAsync(folder, prefix);
        using var http = new HttpClient { BaseAddress = replica.Http };
        var model = await services.NewModelAsync(Graphs.Times(2), Graphs.TimesSignature);
        var id = await AskAsync(http, model);

        await Eventually.Async(() => log.Ids.Contains(id), Deadline, "the one behind it arrives");
        Assert.False(File.Exists(path));
        Assert.Equal(huge.ToByteArray(), await File.ReadAllBytesAsync(Path.ChangeExtension(path, ".refused")));
        Assert.Contains("is set aside", replica.Log, StringComparison.Ordinal);
        var metrics = await http.GetStringAsync(new Uri("metrics", UriKind.Relative));
        Assert.Contains(
            metrics.Split('\n'),
            l => l.StartsWith("mlops_inference_log_dropped", StringComparison.Ordinal) && l.EndsWith(" 1", StringComparison.Ordinal));
    }

    private static async Task AskUntilKilledAsync(
        GRPCInferenceService.GRPCInferenceServiceClient client, string model, ConcurrentBag<string> answered)
    {
        try
        {
            while (true)
            {
                var answer = await client.ModelInferAsync(Tensor.ToRequest(model, isRaw: true, One));
                answered.Add(answer.Parameters["prediction_id"].StringParam);
            }
        }
        catch (RpcException e) when (e.StatusCode is StatusCode.Unavailable or StatusCode.Internal)
        {
            // Killed.
        }
    }

    private static async Task<string> AskAsync(HttpClient http, string model)
    {
        var reply = await http.PostJsonAsync($"v2/models/{model}/infer", Tensor.ToJson(One));
        Assert.Equal(HttpStatusCode.OK, reply.Status);
        return reply.Header("x-mlops-prediction-id") ?? "";
    }

    // mlops_inference_log_backlog_bytes 0
    private static async Task<double> BacklogAsync(HttpClient http)
    {
        var metrics = await http.GetStringAsync(new Uri("metrics", UriKind.Relative));
        var line = metrics.Split('\n').Single(l => l.StartsWith("mlops_inference_log_backlog_bytes", StringComparison.Ordinal));
        return double.Parse(line[(line.LastIndexOf(' ') + 1)..], System.Globalization.CultureInfo.InvariantCulture);
    }
}
