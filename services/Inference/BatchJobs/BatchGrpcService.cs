using Google.Protobuf;
using Grpc.Core;
using MlOps.Contracts.Inference.V1;
using MlOps.Inference.BatchJobs.Inputs;
using MlOps.Inference.BatchJobs.Schedules;

namespace MlOps.Inference.BatchJobs;

/// <summary>The contract <c>mlops.inference.v1.BatchScoringService</c>; every call is a slice of its own.</summary>
internal sealed class BatchGrpcService(
    UploadBatchInput upload, CreateBatchJob create, EndBatchJob end, WatchBatchJob watch, OpenBatchResult open,
    ListUnscoredRows unscored, BatchJobRows jobs, BatchScheduleBook schedules)
    : BatchScoringService.BatchScoringServiceBase
{
    private const int ChunkBytes = 64 << 10;

    public override async Task<BatchInput> UploadBatchInput(
        IAsyncStreamReader<UploadBatchInputRequest> requestStream, ServerCallContext context) =>
        (await upload.HandleAsync(requestStream, context.CancellationToken)).ToWire();

    public override Task<BatchJob> CreateBatchJob(CreateBatchJobRequest request, ServerCallContext context) =>
        create.HandleAsync(request, context.CancellationToken);

    public override Task<BatchJob> GetBatchJob(GetBatchJobRequest request, ServerCallContext context) =>
        jobs.GetAsync(request.JobId, context.CancellationToken);

    public override Task<ListBatchJobsResponse> ListBatchJobs(ListBatchJobsRequest request, ServerCallContext context) =>
        jobs.ListAsync(request, context.CancellationToken);

    public override async Task WatchBatchJob(
        GetBatchJobRequest request, IServerStreamWriter<BatchJob> responseStream, ServerCallContext context)
    {
        await foreach (var job in watch.HandleAsync(request.JobId, context.CancellationToken))
        {
            await responseStream.WriteAsync(job, context.CancellationToken);
        }
    }

    public override Task<BatchJob> CancelBatchJob(CancelBatchJobRequest request, ServerCallContext context) =>
        end.CancelAsync(request.JobId, context.CancellationToken);

    public override async Task DownloadBatchResult(
        DownloadBatchResultRequest request, IServerStreamWriter<DownloadBatchResultResponse> responseStream, ServerCallContext context)
    {
        var result = await open.HandleAsync(request.JobId, context.CancellationToken);
        await using var content = result.Content;
        var buffer = new byte[ChunkBytes];
        while (await content.ReadAsync(buffer, context.CancellationToken) is var read and > 0)
        {
            await responseStream.WriteAsync(
                new DownloadBatchResultResponse { Chunk = ByteString.CopyFrom(buffer, 0, read) }, context.CancellationToken);
        }
    }

    public override Task<ListQuarantinedRowsResponse> ListQuarantinedRows(
        ListQuarantinedRowsRequest request, ServerCallContext context) =>
        unscored.HandleAsync(request, context.CancellationToken);

    public override Task<BatchSchedule> PutBatchSchedule(PutBatchScheduleRequest request, ServerCallContext context) =>
        schedules.PutAsync(request.Schedule ?? new BatchSchedule(), context.CancellationToken);

    public override Task<BatchSchedule> GetBatchSchedule(GetBatchScheduleRequest request, ServerCallContext context) =>
        schedules.GetAsync(request.Name, context.CancellationToken);

    public override async Task<ListBatchSchedulesResponse> ListBatchSchedules(
        ListBatchSchedulesRequest request, ServerCallContext context) =>
        new() { Schedules = { await schedules.ListAsync(context.CancellationToken) } };

    public override async Task<DeleteBatchScheduleResponse> DeleteBatchSchedule(
        DeleteBatchScheduleRequest request, ServerCallContext context)
    {
        await schedules.DeleteAsync(request.Name, context.CancellationToken);
        return new DeleteBatchScheduleResponse();
    }
}
