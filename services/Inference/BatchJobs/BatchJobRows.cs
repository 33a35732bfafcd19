using Google.Protobuf;
using MlOps.Contracts.Inference.V1;
using MlOps.ServiceDefaults;
using Npgsql;
using NpgsqlTypes;

namespace MlOps.Inference.BatchJobs;

/// <summary>Reads jobs in the form of the contract.</summary>
internal sealed class BatchJobRows(NpgsqlDataSource source, TimeProvider time)
{
    private const string SqlColumns =
        """
        job_id, spec, model_version, state, failure, created_at, started_at, finished_at, rows, rows_scored, rows_quarantined,
        partitions, partitions_scored, result_bytes, schedule, scheduled_for,
        (select coalesce(sum(p.rows_done), 0) from batch_partition p where p.job_id = j.job_id)
        """;

    private static readonly JsonParser Parser = new(JsonParser.Settings.Default.WithIgnoreUnknownFields(true));

    /// <exception cref="NotFoundException">BATCH_JOB_UNKNOWN.</exception>
    public async Task<BatchJob> GetAsync(string id, CancellationToken ct) =>
        await FindAsync(IdOf(id), ct) ?? throw Unknown(id);

    public Task<BatchJob?> FindAsync(Guid id, CancellationToken ct) => source.QueryFirstOrDefaultAsync(
        $"select {SqlColumns} from batch_job j where job_id = $1", [id], Map, ct);

    public Task<BatchJob?> FindByKeyAsync(string key, CancellationToken ct) => source.QueryFirstOrDefaultAsync(
        $"select {SqlColumns} from batch_job j where idempotency_key = $1", [key], Map, ct);

    /// <summary>Newest first.</summary>
    public async Task<ListBatchJobsResponse> ListAsync(ListBatchJobsRequest request, CancellationToken ct)
    {
        var size = PageToken.Size(request.PageSize);
        var (before, after) = PageToken.ReadTimed(request.PageToken);
        var jobs = await source.QueryAsync(
            $"""
            select {SqlColumns} from batch_job j
            where ($1 = '' or model = $1) and ($2 = '' or schedule = $2)
              and ($3::timestamptz is null or created_at < $3 or (created_at = $3 and job_id > $4))
            order by created_at desc, job_id limit $5
            """,
            [request.Model, request.Schedule, before, after, size + 1], Map, ct);
        var answer = new ListBatchJobsResponse { Jobs = { jobs.Take(size) } };
        if (jobs.Count > size) answer.NextPageToken = PageToken.Of(answer.Jobs[^1].CreatedAtMicros, answer.Jobs[^1].JobId);
        return answer;
    }

    /// <exception cref="NotFoundException">BATCH_JOB_UNKNOWN.</exception>
    public static Guid IdOf(string id) => Guid.TryParse(id, out var guid) ? guid : throw Unknown(id);

    public static NotFoundException Unknown(string id) =>
        new("BATCH_JOB_UNKNOWN", $"There is no batch job '{Predictions.Workspace.Shown(id)}'.");

    public static BatchJobSpec ParseSpec(string json) => Parser.Parse<BatchJobSpec>(json);

    public static NpgsqlParameter Json(IMessage message) =>
        new() { Value = JsonFormatter.Default.Format(message), NpgsqlDbType = NpgsqlDbType.Jsonb };

    public static long Micros(DateTimeOffset at) => (at.UtcTicks - DateTimeOffset.UnixEpoch.UtcTicks) / TimeSpan.TicksPerMicrosecond;

    private BatchJob Map(NpgsqlDataReader row)
    {
        var job = new BatchJob
        {
            JobId = row.GetGuid(0).ToString("N"),
            Spec = ParseSpec(row.GetString(1)),
            ModelVersion = row.GetInt32(2),
            State = StateOf(row.GetString(3)),
            Failure = row.IsDBNull(4) ? "" : row.GetString(4),
            CreatedAtMicros = Micros(row.GetFieldValue<DateTimeOffset>(5)),
            StartedAtMicros = row.IsDBNull(6) ? 0 : Micros(row.GetFieldValue<DateTimeOffset>(6)),
            FinishedAtMicros = row.IsDBNull(7) ? 0 : Micros(row.GetFieldValue<DateTimeOffset>(7)),
            Rows = row.GetInt64(8),
            RowsScored = row.GetInt64(9),
            RowsQuarantined = row.GetInt64(10),
            Partitions = row.GetInt32(11),
            PartitionsScored = row.GetInt32(12),
            ResultBytes = row.GetInt64(13),
            Schedule = row.IsDBNull(14) ? "" : row.GetString(14),
            ScheduledForMicros = row.IsDBNull(15) ? 0 : Micros(row.GetFieldValue<DateTimeOffset>(15)),
            RowsDone = row.GetInt64(16),
        };
        if (job.StartedAtMicros > 0) AddRate(job);
        return job;
    }

    private void AddRate(BatchJob job)
    {
        var end = job.FinishedAtMicros > 0 ? job.FinishedAtMicros : Micros(time.GetUtcNow());
        var seconds = (end - job.StartedAtMicros) / 1e6;
        if (seconds <= 0 || job.RowsDone == 0) return;
        job.RowsPerSecond = job.RowsDone / seconds;
        if (job.State == BatchJob.Types.State.Running) job.EtaSeconds = (job.Rows - job.RowsDone) / job.RowsPerSecond;
    }

    private static BatchJob.Types.State StateOf(string state) => state switch
    {
        "queued" => BatchJob.Types.State.Queued,
        "running" => BatchJob.Types.State.Running,
        "publishing" => BatchJob.Types.State.Publishing,
        "completed" => BatchJob.Types.State.Completed,
        "failed" => BatchJob.Types.State.Failed,
        _ => BatchJob.Types.State.Cancelled,
    };
}
