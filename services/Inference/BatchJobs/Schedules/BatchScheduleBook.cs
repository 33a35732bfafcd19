using System.Text.RegularExpressions;
using MlOps.Contracts.Inference.V1;
using MlOps.ServiceDefaults;
using Npgsql;
using MisfirePolicy = MlOps.Contracts.Inference.V1.BatchSchedule.Types.MisfirePolicy;

namespace MlOps.Inference.BatchJobs.Schedules;

/// <summary>The schedules there are. Replacing one keeps what it counted; its next time follows from now.</summary>
internal sealed partial class BatchScheduleBook(NpgsqlDataSource source, BatchSpecRules rules, TimeProvider time)
{
    private const string SqlColumns =
        "name, cron, time_zone, misfire_policy, paused, spec, next_at, last_at, last_job_id, missed, skipped, failure";

    /// <exception cref="InvalidRequestException">BATCH_SCHEDULE_INVALID, with every broken rule.</exception>
    public async Task<BatchSchedule> PutAsync(BatchSchedule schedule, CancellationToken ct)
    {
        var times = Check(schedule);
        var stored = await source.QueryFirstOrDefaultAsync(
            $"""
            insert into batch_schedule (name, cron, time_zone, misfire_policy, paused, spec, next_at)
            values ($1, $2, $3, $4, $5, $6, $7)
            on conflict (name) do update set cron = excluded.cron, time_zone = excluded.time_zone,
                misfire_policy = excluded.misfire_policy, paused = excluded.paused, spec = excluded.spec,
                next_at = excluded.next_at, failure = null
            returning {SqlColumns}
            """,
            [
                schedule.Name, schedule.Cron, schedule.TimeZone, NameOf(schedule.MisfirePolicy), schedule.Paused,
                BatchJobRows.Json(schedule.Job), times.After(time.GetUtcNow()),
            ],
            Map, ct);
        return stored ?? throw Unknown(schedule.Name);
    }

    /// <exception cref="NotFoundException">BATCH_SCHEDULE_UNKNOWN.</exception>
    public async Task<BatchSchedule> GetAsync(string name, CancellationToken ct) => await source.QueryFirstOrDefaultAsync(
        $"select {SqlColumns} from batch_schedule where name = $1", [name], Map, ct) ?? throw Unknown(name);

    public Task<List<BatchSchedule>> ListAsync(CancellationToken ct) =>
        source.QueryAsync($"select {SqlColumns} from batch_schedule order by name", [], Map, ct);

    /// <exception cref="NotFoundException">BATCH_SCHEDULE_UNKNOWN.</exception>
    public async Task DeleteAsync(string name, CancellationToken ct)
    {
        if (await source.ExecuteAsync("delete from batch_schedule where name = $1", [name], ct) == 0) throw Unknown(name);
    }

    private CronTimes Check(BatchSchedule schedule)
    {
        var violations = new Violations();
        violations.AddIf(!Name().IsMatch(schedule.Name), "name", "must be 1 to 100 of letters, digits, - _ and .");
        violations.AddIf(!Enum.IsDefined(schedule.MisfirePolicy), "misfire_policy", "is not known");
        if (CronTimes.TryParse(schedule.Cron, schedule.TimeZone, out var times) is { } wrong)
        {
            violations.Add(wrong[..wrong.IndexOf(':')], wrong[(wrong.IndexOf(':') + 2)..]);
        }

        violations.AddIf(times is not null && times.After(time.GetUtcNow()) is null, "cron", "has no time in the future");
        if (schedule.Job is null) violations.Add("job", "must be given");
        else rules.Check(schedule.Job, isScheduled: true, violations);
        violations.ThrowIfAny("BATCH_SCHEDULE_INVALID");
        return times!; // Parsed, or it had thrown.
    }

    private static BatchSchedule Map(NpgsqlDataReader row) => new()
    {
        Name = row.GetString(0),
        Cron = row.GetString(1),
        TimeZone = row.GetString(2),
        MisfirePolicy = row.GetString(3) switch
        {
            "skip" => MisfirePolicy.Skip,
            "catch_up" => MisfirePolicy.CatchUp,
            _ => MisfirePolicy.RunOnce,
        },
        Paused = row.GetBoolean(4),
        Job = BatchJobRows.ParseSpec(row.GetString(5)),
        NextAtMicros = row.IsDBNull(6) ? 0 : BatchJobRows.Micros(row.GetFieldValue<DateTimeOffset>(6)),
        LastAtMicros = row.IsDBNull(7) ? 0 : BatchJobRows.Micros(row.GetFieldValue<DateTimeOffset>(7)),
        LastJobId = row.IsDBNull(8) ? "" : row.GetGuid(8).ToString("N"),
        Missed = row.GetInt64(9),
        Skipped = row.GetInt64(10),
        Failure = row.IsDBNull(11) ? "" : row.GetString(11),
    };

    private static string NameOf(MisfirePolicy policy) => policy switch
    {
        MisfirePolicy.Skip => "skip",
        MisfirePolicy.CatchUp => "catch_up",
        _ => "run_once",
    };

    private static NotFoundException Unknown(string name) =>
        new("BATCH_SCHEDULE_UNKNOWN", $"There is no schedule '{Predictions.Workspace.Shown(name)}'.");

    [GeneratedRegex("^[A-Za-z0-9._-]{1,100}$")]
    private static partial Regex Name();
}
