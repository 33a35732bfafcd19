using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using MlOps.Contracts.Inference.V1;
using MlOps.Inference.Tests.BatchJobs;
using MlOps.ServiceDefaults;
using MlOps.TestServers;

namespace MlOps.Inference.Tests.Streams;

/// <summary>Streams over a real RabbitMQ and a real PostgreSQL, scored by built replicas.</summary>
[Collection(nameof(InferenceFixture))]
public sealed class StreamTests(InferenceFixture services)
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(120);

    [ServerFact]
    public async Task Answers_come_in_the_order_of_the_requests_and_each_is_logged_once()
    {
        await using var replicas = await BatchReplicas.StartAsync(services);
        await using var log = await LoggedPredictions.ListenAsync(replicas.Prefix);
        var replica = await replicas.AddAsync();
        var (model, peer) = await OpenAsync(replicas, replica);
        await using var _ = peer;

        const int Messages = 2_000;
        for (var n = 0; n < Messages; n++) await peer.SendAsync($"m{n}", Body(n), subject: $"s{n % 7}", correlation: $"c{n}");
        await peer.WaitForAsync(Messages);

        var answers = peer.Answers.ToArray();
        Assert.Equal(Enumerable.Range(0, Messages).Select(n => $"m{n}"), answers.Select(a => a.Id));
        Assert.Equal(Enumerable.Range(0, Messages).Select(n => $"c{n}"), answers.Select(a => a.Correlation));
        Assert.Equal(Enumerable.Range(0, Messages).Select(n => 2.0 * n), answers.Select(ValueOf));
        Assert.All(answers, a => Assert.Equal((model, "1"), (a.Json.GetProperty("model").GetString(), a.Json.GetProperty("version").GetString())));
        Assert.Empty(peer.Dead);
        await Eventually.Async(() => log.Ids.Count >= Messages, Deadline, "all are in the log");
        Assert.Equal(answers.Select(PredictionOf).Order(), log.Ids.Order());
        Assert.All(log.Records, r => Assert.Equal("stream", r.Mode));
        // Subjects are logged as their hashes, seven of them.
        Assert.Equal(7, log.Records.Select(r => r.SubjectHash).Distinct().Count());
    }

    [ServerFact]
    public async Task A_message_that_comes_again_within_the_window_has_no_second_answer()
    {
        await using var replicas = await BatchReplicas.StartAsync(services);
        await using var log = await LoggedPredictions.ListenAsync(replicas.Prefix);
        var replica = await replicas.AddAsync(16_000, null, ("Inference__Streams__Window", "00:00:20"));
        var (_, peer) = await OpenAsync(replicas, replica);
        await using var _ = peer;

        await peer.SendAsync("twice", Body(1));
        await peer.SendAsync("twice", Body(1));
        await peer.SendAsync("once", Body(2));
        await peer.WaitForAsync(2);
        await peer.SendAsync("twice", Body(3));
        await peer.SendAsync("last", Body(4));
        await peer.WaitForAsync(3);

        Assert.Equal([("twice", 2.0), ("once", 4.0), ("last", 8.0)], peer.Answers.Select(a => (a.Id, ValueOf(a))));
        await Eventually.Async(() => log.Ids.Count >= 3, Deadline);
        Assert.Equal(3, log.Ids.Count);
        // After the window it is a message like any other, and nothing is kept of it.
        await Eventually.Async(async () => await KnownAsync(replicas) == 0, Deadline, "the window is swept");
        await peer.SendAsync("twice", Body(5));
        await Eventually.Async(() => peer.Answers.Count == 4, Deadline);
        Assert.Equal(10.0, ValueOf(peer.Answers.Last()));
    }

    [ServerFact]
    public async Task What_cannot_be_answered_goes_to_the_dead_letters_with_its_reason_and_holds_up_nobody()
    {
        await using var replicas = await BatchReplicas.StartAsync(services);
        var replica = await replicas.AddAsync();
        var (model, peer) = await OpenAsync(replicas, replica);
        await using var _ = peer;
        await replicas.Database.DataSource.ExecuteAsync(
            "insert into stream_message (model, message_id, attempts, taken_at) values ($1, 'deadly', 5, now())", [model], CancellationToken.None);

        await peer.SendAsync("before", Body(1));
        await peer.SendAsync("broken", "{\"rows\":[");
        await peer.SendAsync("wrong", """{"rows":[{"x":"far"}]}""");
        await peer.SendAsync(null, Body(2));
        await peer.SendAsync("deadly", Body(3));
        await peer.SendAsync("after", Body(4));
        await Eventually.Async(() => peer.Dead.Count == 4 && peer.Answers.Count == 6, Deadline);

        Assert.Equal([("before", 2.0), ("after", 8.0)], peer.Answers.Where(a => a.Text.Contains("predictions", StringComparison.Ordinal)).Select(a => (a.Id, ValueOf(a))));
        var dead = peer.Dead.ToDictionary(d => d.Id);
        Assert.Equal("JSON_INVALID", dead["broken"].Headers["x-mlops-failure"]);
        Assert.Equal("INPUT_INVALID", dead["wrong"].Headers["x-mlops-failure"]);
        Assert.Contains("x:", dead["wrong"].Headers["x-mlops-reason"], StringComparison.Ordinal);
        Assert.Equal("MESSAGE_ID_MISSING", dead[""].Headers["x-mlops-failure"]);
        Assert.Equal(("ATTEMPTS_EXHAUSTED", "6"), (dead["deadly"].Headers["x-mlops-failure"], dead["deadly"].Headers["x-mlops-attempts"]));
        Assert.Equal(Body(3), dead["deadly"].Text);
        Assert.Equal("INPUT_INVALID", peer.Answers.Single(a => a.Id == "wrong").Json.GetProperty("code").GetString());

        // Put back, it is tried anew.
        await peer.SendAsync("deadly", dead["deadly"].Text);
        await Eventually.Async(() => peer.Answers.Count == 7, Deadline);
        Assert.Equal(6.0, ValueOf(peer.Answers.Last()));
    }

    [ServerFact]
    public async Task A_replica_killed_amid_its_work_loses_nothing_and_the_order_stays()
    {
        await using var replicas = await BatchReplicas.StartAsync(services);
        await using var log = await LoggedPredictions.ListenAsync(replicas.Prefix);
        var first = await replicas.AddAsync();
        var (_, peer) = await OpenAsync(replicas, first);
        await using var _ = peer;
        await replicas.AddAsync();

        const int Messages = 4_000;
        var sending = Task.Run(async () =>
        {
            for (var n = 0; n < Messages; n++) await peer.SendAsync($"m{n}", Body(n), subject: $"s{n % 5}");
        });
        await Eventually.Async(() => peer.Answers.Count > 300, Deadline);
        await first.KillAsync();
        await sending;
        await peer.WaitForAsync(Messages);

        AssertAllInOrder(peer, Messages);
        // What it had not published yet lies in its journal.
        await first.StartAgainAsync();
        await Eventually.Async(() => log.Ids.Distinct().Count() >= Messages, Deadline, "all are in the log");
        Assert.Equal(peer.Answers.Select(PredictionOf).ToHashSet(), log.Ids.ToHashSet());
    }

    [ServerFact]
    public async Task While_the_broker_is_away_messages_wait_and_the_order_stays()
    {
        await using var replicas = await BatchReplicas.StartAsync(services);
        var broker = new Uri(Servers.RabbitMq);
        await using var relay = new TcpRelay(FreePorts.Take(), broker.Host, broker.Port);
        var through = new UriBuilder(broker) { Host = "127.0.0.1", Port = relay.Port }.Uri.ToString();
        var replica = await replicas.AddAsync(16_000, null, ("ConnectionStrings__rabbitmq", through));
        var (_, peer) = await OpenAsync(replicas, replica);
        await using var _ = peer;

        const int Messages = 2_000;
        for (var n = 0; n < Messages; n++)
        {
            await peer.SendAsync($"m{n}", Body(n), subject: $"s{n % 5}");
            if (n == 500) relay.Cut();
            if (n == 1_000) relay.Mend();
            if (n == 1_500)
            {
                await Eventually.Async(() => peer.Answers.Count > 400, Deadline);
                relay.Cut();
                relay.Mend();
            }
        }

        await peer.WaitForAsync(Messages);
        AssertAllInOrder(peer, Messages);
        Assert.Empty(peer.Dead);
    }

    [ServerFact]
    public async Task A_webhook_gets_the_answers_of_a_subject_in_order_and_what_it_refuses_is_a_dead_letter()
    {
        await using var replicas = await BatchReplicas.StartAsync(services);
        var taken = new ConcurrentQueue<(string Id, string Body)>();
        var failures = 3;
        var builder = WebApplication.CreateSlimBuilder();
        var port = FreePorts.Take();
        builder.WebHost.ConfigureKestrel(k => k.ListenLocalhost(port));
        await using var receiver = builder.Build();
        receiver.MapPost("/answers", async http =>
        {
            var id = http.Request.Headers["x-mlops-message-id"].ToString();
            if (id == "never") http.Response.StatusCode = 422;
            else if (Interlocked.Decrement(ref failures) >= 0) http.Response.StatusCode = 503;
            else taken.Enqueue((id, await new StreamReader(http.Request.Body).ReadToEndAsync()));
        });
        await receiver.StartAsync();
        var replica = await replicas.AddAsync(16_000, null, ("Inference__Streams__Webhooks__orders", $"http://127.0.0.1:{port}/answers"));
        var (_, peer) = await OpenAsync(replicas, replica, s => s.Webhook = "orders");
        await using var _ = peer;

        for (var n = 0; n < 200; n++) await peer.SendAsync(n == 100 ? "never" : $"m{n}", Body(n), subject: $"s{n % 3}");
        await peer.WaitForAsync(200);

        await Eventually.Async(() => taken.Select(t => t.Id).Distinct().Count() == 199, Deadline);
        foreach (var subject in taken.DistinctBy(t => t.Id).GroupBy(t => int.Parse(t.Id[1..], CultureInfo.InvariantCulture) % 3))
        {
            var order = subject.Select(t => int.Parse(t.Id[1..], CultureInfo.InvariantCulture)).ToList();
            Assert.Equal(order.Order(), order);
        }

        Assert.Contains("\"predictions\":[14]", taken.First(t => t.Id == "m7").Body, StringComparison.Ordinal);
        var dead = Assert.Single(peer.Dead);
        Assert.Equal(("never", "WEBHOOK_REFUSED"), (dead.Id, dead.Headers["x-mlops-failure"]));
        Assert.Contains("422", dead.Headers["x-mlops-reason"], StringComparison.Ordinal);
    }

    [ServerFact]
    public async Task Streams_are_declared_over_rest_and_by_configuration_paused_and_ended()
    {
        await using var replicas = await BatchReplicas.StartAsync(services);
        var configured = await services.NewModelAsync(Graphs.Times(3), Graphs.TimesSignature);
        var replica = await replicas.AddAsync(
            16_000, null, ($"Inference__Streams__Models__{configured}__MaxBatch", "7"), ("Inference__Streams__CheckInterval", "00:00:00.2"));
        using var http = new HttpClient { BaseAddress = replica.Http };
        await using (var peer = await StreamPeer.OpenAsync(replicas.Prefix, configured))
        {
            await peer.SendAsync("a", Body(2));
            await peer.WaitForAsync(1);
            Assert.Equal(6.0, ValueOf(peer.Answers.Single()));
        }

        var listed = await http.GetStringAsync(new Uri($"v1/streams/{configured}", UriKind.Relative));
        foreach (var word in new[] { "\"max_batch\": 7", "\"prefetch\": 256", "\"configuration\"" }) Assert.Contains(word, listed, StringComparison.Ordinal);
        Assert.Equal((HttpStatusCode.Conflict, "STREAM_CONFIGURED"), await PutAsync(http, configured, "{}"));
        Assert.Equal((HttpStatusCode.BadRequest, "STREAM_INVALID"), await PutAsync(http, "m", """{"prefetch":-1,"webhook":"none"}"""));

        var model = await services.NewModelAsync(Graphs.Times(2), Graphs.TimesSignature);
        Assert.Equal((HttpStatusCode.OK, ""), await PutAsync(http, model, """{"paused":true}"""));
        await using (var peer = await StreamPeer.OpenAsync(replicas.Prefix, model))
        {
            await peer.SendAsync("a", Body(1));
            // Another stream's message goes through meanwhile.
            Assert.Equal((HttpStatusCode.OK, ""), await PutAsync(http, model, """{"paused":false,"version":"1"}"""));
            await peer.WaitForAsync(1);
            Assert.Equal(2.0, ValueOf(peer.Answers.Single()));
            using var deleted = await http.DeleteAsync(new Uri($"v1/streams/{model}", UriKind.Relative));
            Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
            using var gone = await http.GetAsync(new Uri($"v1/streams/{model}", UriKind.Relative));
            Assert.Equal(HttpStatusCode.NotFound, gone.StatusCode);
        }
    }

    /// <summary>A stream of a new model that doubles, and the other end of its queues.</summary>
    private async Task<(string Model, StreamPeer Peer)> OpenAsync(BatchReplicas replicas, ServiceProcess replica, Action<ModelStream>? more = null)
    {
        var model = await services.NewModelAsync(Graphs.Times(2), Graphs.TimesSignature);
        var stream = new ModelStream { Model = model };
        more?.Invoke(stream);
        await new StreamScoringService.StreamScoringServiceClient(services.Channel(replica.Grpc)).PutStreamAsync(new PutStreamRequest { Stream = stream });
        return (model, await StreamPeer.OpenAsync(replicas.Prefix, model));
    }

    // Each message is answered; an answer that came twice says the same; the first answers have the order of the requests.
    private static void AssertAllInOrder(StreamPeer peer, int messages)
    {
        var answers = peer.Answers.ToArray();
        Assert.Equal(Enumerable.Range(0, messages).Select(n => $"m{n}"), answers.Select(a => a.Id).Distinct());
        Assert.All(answers, a => Assert.Equal(2.0 * int.Parse(a.Id[1..], CultureInfo.InvariantCulture), ValueOf(a)));
        Assert.All(answers.GroupBy(a => a.Id), same => Assert.Single(same.Select(a => a.Text).Distinct()));
    }

    private static string Body(int x) => $$"""{"rows":[{"x":{{x}}}]}""";

    private static double ValueOf(StreamAnswer answer) => answer.Json.GetProperty("predictions")[0].GetDouble();

    private static string PredictionOf(StreamAnswer answer) => answer.Json.GetProperty("prediction_id").GetString()!;

    private static async Task<long> KnownAsync(BatchReplicas replicas) => (await replicas.Database.DataSource.QueryAsync(
        "select count(*) from stream_message", [], r => r.GetInt64(0), CancellationToken.None))[0];

    private static async Task<(HttpStatusCode, string)> PutAsync(HttpClient http, string model, string body)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var answer = await http.PutAsync(new Uri($"v1/streams/{model}", UriKind.Relative), content);
        var json = System.Text.Json.JsonDocument.Parse(await answer.Content.ReadAsStringAsync()).RootElement;
        return (answer.StatusCode, json.TryGetProperty("code", out var code) ? code.GetString()! : "");
    }
}
