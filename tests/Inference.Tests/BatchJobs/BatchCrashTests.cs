using MlOps.Contracts.Inference.V1;
using MlOps.ServiceDefaults;
using MlOps.TestServers;

namespace MlOps.Inference.Tests.BatchJobs;

[Collection(nameof(InferenceFixture))]
public sealed class BatchCrashTests(InferenceFixture services)
{
    private const int Rows = 30_000;
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(120);

    [ServerFact]
    public async Task A_worker_killed_amid_a_job_changes_neither_a_byte_of_the_result_nor_a_count_of_the_log()
    {
        await using var replicas = await BatchReplicas.StartAsync(services);
        await using var log = await LoggedPredictions.ListenAsync(replicas.Prefix);
        var worker = await replicas.AddAsync();
        var client = replicas.ClientOf(worker);
        var spec = await SpecAsync(client);
        var undisturbed = await client.RunAsync(spec);
        var expected = await client.DownloadAsync(undisturbed.JobId);

        var disturbed = await client.CreateAsync(spec);
        for (var kill = 1; kill <= 2; kill++)
        {
            var share = kill;
            await Eventually.Async(
                async () => (await client.GetAsync(disturbed.JobId)) is var job && job.PartitionsScored >= job.Partitions * share / 4 && job.Partitions > 0,
                Deadline, "the job is amid its work");
            Assert.NotEqual(BatchJob.Types.State.Completed, (await client.GetAsync(disturbed.JobId)).State);
            await worker.KillAsync();
            await worker.StartAgainAsync();
        }

        var job = await client.EndAsync(disturbed.JobId);
        Assert.True(job.State == BatchJob.Types.State.Completed, job.Failure);
        Assert.Equal((undisturbed.RowsScored, undisturbed.RowsQuarantined), (job.RowsScored, job.RowsQuarantined));
        var actual = await client.DownloadAsync(disturbed.JobId);
        // Ids follow from the job; all else is the same to the byte.
        Assert.Equal(WithoutIds(expected), WithoutIds(actual));
        Assert.Equal(await client.QuarantineAsync(undisturbed.JobId), await client.QuarantineAsync(disturbed.JobId));

        var ids = IdsOf(expected).Concat(IdsOf(actual)).ToHashSet();
        Assert.Equal(2 * job.RowsScored, ids.Count);
        await Eventually.Async(() => RowsOf(log).Count >= ids.Count, Deadline, "all rows are in the log");
        Assert.Equal(ids, RowsOf(log));
        Assert.False(log.HasContradiction);
        Assert.All(log.Records, r => Assert.Equal("batch", r.Mode));
    }

    [ServerFact]
    public async Task Two_replicas_share_a_job_and_the_result_is_that_of_one()
    {
        await using var replicas = await BatchReplicas.StartAsync(services);
        var first = await replicas.AddAsync();
        var client = replicas.ClientOf(first);
        var spec = await SpecAsync(client);
        spec.Log = new PredictionLogging { Mode = PredictionLogging.Types.Mode.None };
        var alone = await client.ScoreAsync(spec);
        var second = await replicas.AddAsync();

        var shared = await client.RunAsync(spec);

        Assert.Equal(alone, await replicas.ClientOf(second).DownloadAsync(shared.JobId));
        foreach (var replica in new[] { first, second })
        {
            var metrics = await services.Http.GetStringAsync(new Uri(replica.Http, "metrics"));
            var scored = metrics.Split('\n').First(l => l.StartsWith("mlops_inference_batch_partition_duration_seconds_count", StringComparison.Ordinal));
            Assert.True(int.Parse(scored.Split(' ')[^1], System.Globalization.CultureInfo.InvariantCulture) > 0, metrics);
        }
    }

    [ServerFact]
    public async Task A_cancelled_job_stops_leaves_no_result_and_takes_no_further_partition()
    {
        await using var replicas = await BatchReplicas.StartAsync(services);
        var worker = await replicas.AddAsync();
        var client = replicas.ClientOf(worker);
        var spec = await SpecAsync(client, Rows, 20_000);
        // Holds the worker at the first partition with a bad row, so that the job cannot be done before it is cancelled.
        await using var held = await replicas.Database.DataSource.OpenConnectionAsync();
        await using var hold = await held.BeginTransactionAsync();
        await hold.ExecuteAsync("lock table batch_quarantine in exclusive mode", [], CancellationToken.None);
        var job = await client.CreateAsync(spec);
        await Eventually.Async(async () => (await client.GetAsync(job.JobId)).PartitionsScored > 0, Deadline);

        var cancelled = await client.Calls.CancelBatchJobAsync(new CancelBatchJobRequest { JobId = job.JobId });
        var again = await client.Calls.CancelBatchJobAsync(new CancelBatchJobRequest { JobId = job.JobId });
        await hold.RollbackAsync();

        Assert.Equal(BatchJob.Types.State.Cancelled, cancelled.State);
        Assert.Equal(cancelled.FinishedAtMicros, again.FinishedAtMicros);
        // A job behind it in the same queue is done only when all its partitions have been passed over.
        await client.RunAsync(await SpecAsync(client, rows: 10));
        var after = await client.GetAsync(job.JobId);
        Assert.True(after.PartitionsScored < after.Partitions);
        Assert.Equal(BatchJob.Types.State.Cancelled, after.State);
    }

    [ServerFact]
    public async Task A_partition_that_five_workers_died_over_fails_its_job()
    {
        await using var replicas = await BatchReplicas.StartAsync(services);
        var idle = await replicas.AddAsync(16_000, null, ("Inference__Batch__ConcurrentPartitions", "0"));
        var client = replicas.ClientOf(idle);
        var job = await client.CreateAsync(await SpecAsync(client, rows: 10));
        await Eventually.Async(async () => (await client.GetAsync(job.JobId)).State == BatchJob.Types.State.Running, Deadline);
        await replicas.Database.DataSource.ExecuteAsync("update batch_partition set attempts = 5, state = 'running'", [], CancellationToken.None);

        await replicas.AddAsync();

        var ended = await client.EndAsync(job.JobId);
        Assert.Equal(BatchJob.Types.State.Failed, ended.State);
        Assert.Contains("Partition 1 was given up: 5 workers died over it", ended.Failure, StringComparison.Ordinal);
    }

    [ServerFact]
    public async Task Replicas_that_share_no_folder_share_jobs_through_the_database()
    {
        await using var replicas = await BatchReplicas.StartAsync(services);
        (string, string) inDatabase = ("Inference__Batch__Files", "database");
        var first = await replicas.AddAsync(more: inDatabase);
        var second = await replicas.AddAsync(more: inDatabase);
        var client = replicas.ClientOf(first);
        var spec = await SpecAsync(client);
        spec.Log = new PredictionLogging { Mode = PredictionLogging.Types.Mode.None };

        var one = await client.ScoreAsync(spec);
        await first.KillAsync();
        var other = replicas.ClientOf(second);
        var two = await other.ScoreAsync(spec);

        Assert.Equal(one, two);
        Assert.Equal(Rows + 1, two.Count(c => c == '\n') + 3);
    }

    [ServerFact]
    public async Task Without_PostgreSQL_predictions_go_on_and_jobs_say_what_is_away()
    {
        await using var replicas = await BatchReplicas.StartAsync(services);
        var target = new Npgsql.NpgsqlConnectionStringBuilder(replicas.Database.ConnectionString);
        await using var relay = new TcpRelay(FreePorts.Take(), target.Host!, target.Port);
        relay.Cut();
        (target.Host, target.Port, target.Timeout) = ("127.0.0.1", relay.Port, 2);
        var model = await services.NewModelAsync(Graphs.Times(2), Graphs.TimesSignature);

        // Started while the database is away.
        var replica = await replicas.AddAsync(database: target.ConnectionString);
        var client = replicas.ClientOf(replica);
        await PredictAsync(replica, model);
        Assert.Equal("degraded", await HealthAsync(replica));
        var refused = await Assert.ThrowsAsync<Grpc.Core.RpcException>(() => client.GetAsync(Guid.NewGuid().ToString("N")));
        Assert.Equal(Grpc.Core.StatusCode.Unavailable, refused.StatusCode);

        relay.Mend();
        await Eventually.Async(async () => await HealthAsync(replica) == "healthy", Deadline);
        var input = await client.UploadAsync("x\n1\n2\n");
        Assert.Equal("row,prediction\n1,2\n2,4\n", await client.ScoreAsync(new BatchJobSpec
        {
            Model = model,
            InputDigest = input.Digest,
            Log = new PredictionLogging { Mode = PredictionLogging.Types.Mode.None },
        }));

        relay.Cut();
        await PredictAsync(replica, model);
        await Eventually.Async(async () => await HealthAsync(replica) == "degraded", Deadline);
    }

    private static async Task PredictAsync(ServiceProcess replica, string model)
    {
        using var http = new HttpClient { BaseAddress = replica.Http };
        var reply = await http.PostJsonAsync($"v1/models/{model}/predict", """{"rows":[{"x":21}]}""");
        Assert.Equal(42, reply.Json.GetProperty("predictions")[0].GetDouble());
    }

    private async Task<string?> HealthAsync(ServiceProcess replica)
    {
        using var answer = await services.Http.GetAsync(new Uri(replica.Http, "health"));
        Assert.True(answer.IsSuccessStatusCode);
        return System.Text.Json.JsonDocument.Parse(await answer.Content.ReadAsStringAsync()).RootElement.GetProperty("status").GetString();
    }

    private Task<BatchJobSpec> SpecAsync(BatchClient client) => SpecAsync(client, Rows, 5, 20_000, Rows);

    private async Task<BatchJobSpec> SpecAsync(BatchClient client, int rows, params int[] badRows)
    {
        string[] bad = ["bad", "x,ATL,,", "y,ATL,far,1"];
        var lines = DelayRows.Csv(rows).Split('\n');
        for (var i = 0; i < badRows.Length; i++) lines[badRows[i]] = bad[i];
        return new BatchJobSpec
        {
            Model = await services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature),
            InputDigest = (await client.UploadAsync(string.Join('\n', lines))).Digest,
            KeepColumns = { "id", "origin" },
            MaxBadShare = 0.01,
        };
    }

    private static string WithoutIds(string result) =>
        string.Join('\n', result.Split('\n').Select(line => line.LastIndexOf(',') is var at and >= 0 ? line[..at] : line));

    private static IEnumerable<string> IdsOf(string result) =>
        result.Split('\n', StringSplitOptions.RemoveEmptyEntries).Skip(1).Select(line => line[(line.LastIndexOf(',') + 1)..]);

    // As the log's keeper does: a record that comes again counts once.
    private static HashSet<string> RowsOf(LoggedPredictions log) =>
    [
        .. log.Records.SelectMany(r => Enumerable.Range(0, r.Predictions.Count).Select(row => $"{Convert.ToHexStringLower(r.PredictionId.Span)}.{row}")),
    ];
}
