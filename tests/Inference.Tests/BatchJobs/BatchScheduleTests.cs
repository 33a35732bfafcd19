using System.Net;
using Grpc.Core;
using MlOps.Contracts.Inference.V1;
using MlOps.ServiceDefaults;
using MlOps.TestServers;

namespace MlOps.Inference.Tests.BatchJobs;

[Collection(nameof(InferenceFixture))]
public sealed class BatchScheduleTests(InferenceFixture services)
{
    private const long Second = 1_000_000;
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(90);

    [ServerFact]
    public async Task Of_a_schedule_whose_job_still_runs_further_times_are_skipped_and_counted()
    {
        await using var replicas = await BatchReplicas.StartAsync(services);
        // Two replicas that make jobs and score none.
        (string, string) idle = ("Inference__Batch__ConcurrentPartitions", "0");
        var first = await replicas.AddAsync(16_000, null, idle);
        var client = replicas.ClientOf(first);
        await replicas.AddAsync(16_000, null, idle);
        var name = await PutAsync(client, BatchSchedule.Types.MisfirePolicy.RunOnce);
        await Eventually.Async(async () => (await GetAsync(client, name)).Skipped >= 2, Deadline);

        var job = Assert.Single(await JobsAsync(client, name));
        Assert.Equal((name, 0), (job.Schedule, job.ScheduledForMicros % Second));
        await client.Calls.CancelBatchJobAsync(new CancelBatchJobRequest { JobId = job.JobId });

        await Eventually.Async(async () => (await JobsAsync(client, name)).Count == 2, Deadline);
        var paused = await GetAsync(client, name);
        paused.Paused = true;
        await client.Calls.PutBatchScheduleAsync(new PutBatchScheduleRequest { Schedule = paused });
        var next = (await JobsAsync(client, name)).Single(j => j.JobId != job.JobId);
        await client.Calls.CancelBatchJobAsync(new CancelBatchJobRequest { JobId = next.JobId });
        var other = await PutAsync(client, BatchSchedule.Types.MisfirePolicy.RunOnce);
        await Eventually.Async(async () => (await GetAsync(client, other)).Skipped >= 2, Deadline);
        Assert.Equal(2, (await JobsAsync(client, name)).Count);
    }

    [ServerFact]
    public async Task Times_that_pass_while_nothing_runs_are_caught_up_with_one_job_each()
    {
        await using var replicas = await BatchReplicas.StartAsync(services);
        var worker = await replicas.AddAsync();
        var client = replicas.ClientOf(worker);
        var name = await PutAsync(client, BatchSchedule.Types.MisfirePolicy.CatchUp);
        await Eventually.Async(async () => (await JobsAsync(client, name)).Count >= 1, Deadline);
        await worker.KillAsync();
        var killed = TimeProvider.System.GetUtcNow();
        await worker.StartAgainAsync();
        var started = TimeProvider.System.GetUtcNow();
        Assert.True(started - killed > TimeSpan.FromSeconds(1));

        await Eventually.Async(
            async () => (await GetAsync(client, name)).LastAtMicros / 1000 > started.ToUnixTimeMilliseconds(), Deadline, "it has caught up");

        var times = (await JobsAsync(client, name)).Select(j => j.ScheduledForMicros).Order().ToList();
        Assert.Equal(Enumerable.Range(0, times.Count).Select(i => times[0] + (i * Second)), times);
        Assert.Equal(0, (await GetAsync(client, name)).Missed);
    }

    [ServerFact]
    public async Task A_schedule_that_cannot_make_its_job_says_why_and_goes_on()
    {
        await using var replicas = await BatchReplicas.StartAsync(services);
        var client = replicas.ClientOf(await replicas.AddAsync());
        var schedule = await ScheduleAsync(client, BatchSchedule.Types.MisfirePolicy.RunOnce);
        schedule.Job.Model = InferenceFixture.NewName("nobody");
        await client.Calls.PutBatchScheduleAsync(new PutBatchScheduleRequest { Schedule = schedule });

        await Eventually.Async(async () => (await GetAsync(client, schedule.Name)).Missed >= 2, Deadline);

        Assert.Contains(schedule.Job.Model, (await GetAsync(client, schedule.Name)).Failure, StringComparison.Ordinal);
        Assert.Empty(await JobsAsync(client, schedule.Name));
    }

    [ServerFact]
    public async Task Over_rest_a_schedule_is_put_read_and_deleted_and_refused_with_every_broken_rule()
    {
        var path = $"v1/batch-schedules/{InferenceFixture.NewName("nightly")}";
        var body = $$$"""{"cron":"0 3 1 1 *","time_zone":"Europe/Berlin","job":{"model":"m","input_digest":"sha256:{{{new string('0', 64)}}}"}}""";
        using var put = await services.Http.PutAsync(new Uri(path, UriKind.Relative), Json(body));
        Assert.True(put.IsSuccessStatusCode, await put.Content.ReadAsStringAsync());
        Assert.Contains("\"cron\"", await services.Http.GetStringAsync(new Uri(path, UriKind.Relative)), StringComparison.Ordinal);
        Assert.Contains(path[(path.LastIndexOf('/') + 1)..], await services.Http.GetStringAsync(new Uri("v1/batch-schedules", UriKind.Relative)), StringComparison.Ordinal);

        using var wrong = await services.Http.PutAsync(new Uri(path, UriKind.Relative), Json("""{"cron":"99 * * * *","job":{"model":""}}"""));
        Assert.Equal(HttpStatusCode.BadRequest, wrong.StatusCode);
        var problem = await wrong.Content.ReadAsStringAsync();
        foreach (var word in new[] { "BATCH_SCHEDULE_INVALID", "cron", "model", "input" }) Assert.True(problem.Contains(word, StringComparison.Ordinal), problem);

        using var gone = await services.Http.DeleteAsync(new Uri(path, UriKind.Relative));
        Assert.Equal(HttpStatusCode.NoContent, gone.StatusCode);
        using var unknown = await services.Http.GetAsync(new Uri(path, UriKind.Relative));
        Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);
    }

    [ServerFact]
    public async Task Ended_jobs_with_their_results_and_inputs_nobody_asks_for_are_forgotten_after_their_time()
    {
        await using var replicas = await BatchReplicas.StartAsync(services);
        var worker = await replicas.AddAsync();
        var client = replicas.ClientOf(worker);
        var spec = (await ScheduleAsync(client, default)).Job;
        var old = await client.RunAsync(spec);
        var oldInput = spec.InputDigest;
        var kept = spec.Clone();
        kept.InputDigest = (await client.UploadAsync("x\n5\n6\n")).Digest;
        var recent = await client.RunAsync(kept);
        var before = Directory.GetFiles(replicas.Folder, "*", SearchOption.AllDirectories).Length;
        await replicas.Database.DataSource.ExecuteAsync(
            "update batch_job set finished_at = finished_at - interval '31 days' where job_id = $1", [Guid.Parse(old.JobId)], CancellationToken.None);
        await replicas.Database.DataSource.ExecuteAsync(
            "update batch_input set used_at = used_at - interval '31 days' where digest = $1", [oldInput], CancellationToken.None);

        await worker.KillAsync();
        await worker.StartAgainAsync();

        await Eventually.Async(
            () => Directory.GetFiles(replicas.Folder, "*", SearchOption.AllDirectories).Length == before - 2, Deadline, "result and input are deleted");
        var gone = await Assert.ThrowsAsync<RpcException>(() => client.GetAsync(old.JobId));
        Assert.Equal(StatusCode.NotFound, gone.StatusCode);
        var forgotten = await Assert.ThrowsAsync<RpcException>(() => client.CreateAsync(spec));
        Assert.Equal("BATCH_INPUT_UNKNOWN", forgotten.Trailers.GetValue("mlops-code"));
        Assert.Equal("row,prediction\n1,10\n2,12\n", await client.DownloadAsync(recent.JobId));
    }

    private async Task<string> PutAsync(BatchClient client, BatchSchedule.Types.MisfirePolicy policy)
    {
        var schedule = await ScheduleAsync(client, policy);
        await client.Calls.PutBatchScheduleAsync(new PutBatchScheduleRequest { Schedule = schedule });
        return schedule.Name;
    }

    // Every second.
    private async Task<BatchSchedule> ScheduleAsync(BatchClient client, BatchSchedule.Types.MisfirePolicy policy) => new()
    {
        Name = InferenceFixture.NewName("schedule"),
        Cron = "* * * * * ?",
        MisfirePolicy = policy,
        Job = new BatchJobSpec
        {
            Model = await services.NewModelAsync(Graphs.Times(2), Graphs.TimesSignature),
            InputDigest = (await client.UploadAsync("x\n1\n2\n")).Digest,
            Log = new PredictionLogging { Mode = PredictionLogging.Types.Mode.None },
        },
    };

    private static async Task<BatchSchedule> GetAsync(BatchClient client, string name) =>
        await client.Calls.GetBatchScheduleAsync(new GetBatchScheduleRequest { Name = name });

    private static async Task<IReadOnlyList<BatchJob>> JobsAsync(BatchClient client, string schedule) =>
        (await client.Calls.ListBatchJobsAsync(new ListBatchJobsRequest { Schedule = schedule, PageSize = 1_000 })).Jobs;

    private static StringContent Json(string text) => new(text, System.Text.Encoding.UTF8, "application/json");
}
