using System.Globalization;
using MlOps.Contracts.Inference.V1;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Inference.BatchJobs;

/// <summary>The rows a job could not score, in the order of its input; of each partition the first thousand are kept.</summary>
internal sealed class ListUnscoredRows(NpgsqlDataSource source, BatchJobRows jobs)
{
    /// <exception cref="NotFoundException">BATCH_JOB_UNKNOWN.</exception>
    /// <exception cref="InvalidRequestException">LIST_INVALID.</exception>
    public async Task<ListQuarantinedRowsResponse> HandleAsync(ListQuarantinedRowsRequest request, CancellationToken ct)
    {
        var size = PageToken.Size(request.PageSize);
        var after = PageToken.ReadNumber(request.PageToken);
        var job = await jobs.GetAsync(request.JobId, ct);
        var rows = await source.QueryAsync(
            """
            select row, line, reason, content from batch_quarantine
            where job_id = $1 and row > $2 order by row limit $3
            """,
            [BatchJobRows.IdOf(job.JobId), after, size + 1],
            r => new UnscoredRow { Row = r.GetInt64(0), Line = r.GetInt64(1), Reason = r.GetString(2), Content = r.GetString(3) },
            ct);
        var answer = new ListQuarantinedRowsResponse { Rows = { rows.Take(size) } };
        if (rows.Count > size) answer.NextPageToken = answer.Rows[^1].Row.ToString(CultureInfo.InvariantCulture);
        return answer;
    }
}
