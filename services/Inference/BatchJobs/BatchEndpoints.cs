using System.Text;
using Microsoft.AspNetCore.Http.Features;
using MlOps.Contracts.Inference.V1;
using MlOps.Inference.BatchJobs.Inputs;
using MlOps.Inference.BatchJobs.Schedules;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.BatchJobs;

/// <summary>Batch scoring over REST: the same messages as over gRPC, in Protocol Buffers' JSON form.</summary>
internal static class BatchEndpoints
{
    private const string KeyHeader = "Idempotency-Key";

    public static void Map(IEndpointRouteBuilder app)
    {
        var jobs = app.MapGroup("/v1/batch-jobs").WithTags("Batch scoring");
        jobs.MapPost("", CreateAsync).WithSummary("Makes a job; the header Idempotency-Key makes it once");
        jobs.MapGet("", ListAsync).WithSummary("Jobs, newest first");
        jobs.MapGet("/{id}", async (string id, BatchJobRows rows, CancellationToken ct) => ContractJson.Answer(await rows.GetAsync(id, ct)))
            .WithSummary("A job and how far it is");
        jobs.MapPost("/{id}/cancel", async (string id, EndBatchJob end, CancellationToken ct) => ContractJson.Answer(await end.CancelAsync(id, ct)))
            .WithSummary("Ends a job without a result");
        jobs.MapGet("/{id}/watch", WatchAsync).WithSummary("The job now and after every change, one JSON object a line");
        jobs.MapGet("/{id}/result", DownloadAsync).WithSummary("The result file of a completed job");
        jobs.MapGet("/{id}/quarantine", UnscoredAsync).WithSummary("Rows that could not be scored");
        app.MapPost("/v1/batch-inputs", UploadAsync).WithTags("Batch scoring").WithSummary("Uploads rows, CSV or JSON lines");

        var schedules = app.MapGroup("/v1/batch-schedules").WithTags("Batch scoring");
        schedules.MapGet("", async (BatchScheduleBook book, CancellationToken ct) =>
            ContractJson.Answer(new ListBatchSchedulesResponse { Schedules = { await book.ListAsync(ct) } })).WithSummary("All schedules");
        schedules.MapGet("/{name}", async (string name, BatchScheduleBook book, CancellationToken ct) =>
            ContractJson.Answer(await book.GetAsync(name, ct))).WithSummary("A schedule and when it is due");
        schedules.MapPut("/{name}", PutScheduleAsync).WithSummary("Creates or replaces a schedule");
        schedules.MapDelete("/{name}", async (string name, BatchScheduleBook book, CancellationToken ct) =>
        {
            await book.DeleteAsync(name, ct);
            return TypedResults.NoContent();
        }).WithSummary("Deletes a schedule; jobs it has started go on");
    }

    private static async Task<IResult> UploadAsync(HttpContext http, UploadBatchInput upload, string? digest, CancellationToken ct)
    {
        // The store has its own, larger limit.
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit) limit.MaxRequestBodySize = null;
        var format = FormatOf(http.Request.ContentType)
            ?? throw new InvalidRequestException(
                "INPUT_FORMAT", [new FieldViolation("Content-Type", "must be text/csv or application/x-ndjson")]);
        var input = await upload.HandleAsync(format, digest ?? "", http.Request.BodyReader, ct);
        return ContractJson.Answer(input.ToWire(), StatusCodes.Status201Created);
    }

    private static TextFormat? FormatOf(string? contentType) => contentType?.Split(';')[0].Trim().ToLowerInvariant() switch
    {
        "text/csv" => TextFormat.Csv,
        "application/x-ndjson" or "application/jsonl" or "application/json-lines" => TextFormat.JsonLines,
        _ => null,
    };

    private static async Task<IResult> CreateAsync(HttpContext http, CreateBatchJob create, CancellationToken ct)
    {
        var spec = await ContractJson.ReadAsync<BatchJobSpec>(http.Request, ct);
        var job = await create.HandleAsync(
            new CreateBatchJobRequest { Spec = spec, IdempotencyKey = http.Request.Headers[KeyHeader].ToString() }, ct);
        http.Response.Headers.Location = $"/v1/batch-jobs/{job.JobId}";
        return ContractJson.Answer(job, StatusCodes.Status201Created);
    }

    private static async Task<IResult> ListAsync(
        BatchJobRows jobs, CancellationToken ct, string? model = null, string? schedule = null, int page_size = 0, string? page_token = null) =>
        ContractJson.Answer(await jobs.ListAsync(
            new ListBatchJobsRequest { Model = model ?? "", Schedule = schedule ?? "", PageSize = page_size, PageToken = page_token ?? "" }, ct));

    private static async Task WatchAsync(string id, HttpContext http, WatchBatchJob watch, CancellationToken ct)
    {
        http.Response.ContentType = "application/x-ndjson";
        await foreach (var job in watch.HandleAsync(id, ct))
        {
            await http.Response.WriteAsync(ContractJson.Write(job) + "\n", Encoding.UTF8, ct);
            await http.Response.Body.FlushAsync(ct);
        }
    }

    private static async Task<IResult> DownloadAsync(string id, OpenBatchResult open, HttpContext http, CancellationToken ct)
    {
        var result = await open.HandleAsync(id, ct);
        http.Response.ContentLength = result.Bytes;
        return TypedResults.Stream(result.Content, result.Format.MediaType(), $"{id}.{result.Format.Name()}");
    }

    private static async Task<IResult> UnscoredAsync(
        string id, ListUnscoredRows unscored, CancellationToken ct, int page_size = 0, string? page_token = null) =>
        ContractJson.Answer(await unscored.HandleAsync(
            new ListQuarantinedRowsRequest { JobId = id, PageSize = page_size, PageToken = page_token ?? "" }, ct));

    private static async Task<IResult> PutScheduleAsync(string name, HttpContext http, BatchScheduleBook book, CancellationToken ct)
    {
        var schedule = await ContractJson.ReadAsync<BatchSchedule>(http.Request, ct);
        if (schedule.Name.Length > 0 && schedule.Name != name)
        {
            throw new InvalidRequestException("BATCH_SCHEDULE_INVALID", [new FieldViolation("name", "must be the one of the path")]);
        }

        schedule.Name = name;
        return ContractJson.Answer(await book.PutAsync(schedule, ct));
    }
}
