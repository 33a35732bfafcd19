using Grpc.Core;
using MlOps.Contracts.Inference.V1;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Inference.BatchJobs.Schedules;

/// <summary>
/// Makes the jobs of schedules that are due, one for a time whichever replica is first, and one at once. While the
/// registry is away a due schedule waits; its misfire policy decides once it is back.
/// </summary>
internal sealed partial class RunBatchSchedules(
    NpgsqlDataSource source, DatabaseState database, CreateBatchJob create, TimeProvider time, ILogger<RunBatchSchedules> logger)
    : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await database.WaitUntilMigratedAsync(stoppingToken);
        using var timer = new PeriodicTimer(Interval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await RunDueAsync(stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                LogNotRun(e.Message);
            }
        }
    }

    /// <summary>Does what is due now.</summary>
    internal async Task RunDueAsync(CancellationToken ct)
    {
        var due = await source.QueryAsync(
            "select name, cron, time_zone, misfire_policy, spec, next_at from batch_schedule where not paused and next_at <= $1 order by next_at",
            [time.GetUtcNow()],
            r => new DueSchedule(
                r.GetString(0), r.GetString(1), r.GetString(2), r.GetString(3), BatchJobRows.ParseSpec(r.GetString(4)),
                r.GetFieldValue<DateTimeOffset>(5)),
            ct);
        foreach (var schedule in due) await RunAsync(schedule, ct);
    }

    private async Task RunAsync(DueSchedule schedule, CancellationToken ct)
    {
        if (CronTimes.TryParse(schedule.Cron, schedule.TimeZone, out var times) is { } wrong || times is null)
        {
            // It was right when it was stored: this machine lacks the time zone.
            LogUnreadable(schedule.Name, CronTimes.TryParse(schedule.Cron, schedule.TimeZone, out _) ?? "");
            return;
        }

        var decided = DueTimes.Decide(times, schedule.DueAt, time.GetUtcNow(), schedule.Policy);
        if (decided.Fire is not { } fire)
        {
            await MoveOnAsync(schedule, decided, null, ct);
            return;
        }

        try
        {
            var version = await create.PinAsync(schedule.Spec, ct);
            var job = new NewBatchJob(Guid.CreateVersion7(time.GetUtcNow()), schedule.Spec, version, "", schedule.Name, fire);
            await source.InTransactionAsync(transaction => MakeAsync(transaction, schedule, decided, job, ct), ct);
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.Unavailable)
        {
            LogWaiting(schedule.Name, e.Status.Detail);
        }
        catch (DomainException e)
        {
            await MoveOnAsync(schedule, decided with { Missed = decided.Missed + 1 }, e.Message, ct);
        }
    }

    private async Task MakeAsync(
        NpgsqlTransaction transaction, DueSchedule schedule, DueTimes decided, NewBatchJob job, CancellationToken ct)
    {
        // Somebody else has it, or had it.
        if (!await TryTakeAsync(transaction, schedule, ct)) return;
        var isMade = await create.AddAsync(transaction, job, ct);
        if (!isMade && schedule.Policy == "catch_up" && !await HasJobAsync(transaction, job, ct)) return; // waits for the one that runs
        await transaction.ExecuteAsync(
            """
            update batch_schedule set next_at = $2, missed = missed + $3, skipped = skipped + $4,
                last_at = case when $4 = 0 then $5 else last_at end,
                last_job_id = case when $4 = 0 then $6 else last_job_id end, failure = null
            where name = $1
            """,
            [schedule.Name, decided.Next, decided.Missed, isMade ? 0L : 1L, job.ScheduledFor, job.Id], ct);
        if (!isMade) LogSkipped(schedule.Name, job.ScheduledFor);
    }

    private Task MoveOnAsync(DueSchedule schedule, DueTimes decided, string? failure, CancellationToken ct) =>
        source.InTransactionAsync(
            async transaction =>
            {
                if (!await TryTakeAsync(transaction, schedule, ct)) return;
                await transaction.ExecuteAsync(
                    "update batch_schedule set next_at = $2, missed = missed + $3, failure = coalesce($4, failure) where name = $1",
                    [schedule.Name, decided.Next, decided.Missed, failure], ct);
            },
            ct);

    private static async Task<bool> TryTakeAsync(NpgsqlTransaction transaction, DueSchedule schedule, CancellationToken ct) =>
        (await transaction.QueryAsync(
            "select 1 from batch_schedule where name = $1 and next_at = $2 and not paused for update skip locked",
            [schedule.Name, schedule.DueAt], r => r.GetInt32(0), ct)).Count == 1;

    private static async Task<bool> HasJobAsync(NpgsqlTransaction transaction, NewBatchJob job, CancellationToken ct) =>
        (await transaction.QueryAsync(
            "select 1 from batch_job where schedule = $1 and scheduled_for = $2", [job.Schedule, job.ScheduledFor], r => r.GetInt32(0), ct)).Count == 1;

    [LoggerMessage(Level = LogLevel.Warning, Message = "Schedules could not be looked at: {Reason}")]
    private partial void LogNotRun(string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Schedule {Schedule} cannot be read here: {Reason}")]
    private partial void LogUnreadable(string schedule, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Schedule {Schedule} waits: {Reason}")]
    private partial void LogWaiting(string schedule, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "Schedule {Schedule} skips {Time}: its job before still runs")]
    private partial void LogSkipped(string schedule, DateTimeOffset? time);

    private sealed record DueSchedule(string Name, string Cron, string TimeZone, string Policy, BatchJobSpec Spec, DateTimeOffset DueAt);
}
