using System.Text;
using Google.Protobuf;
using Grpc.Core;
using MlOps.Contracts.Inference.V1;
using MlOps.TestServers;

namespace MlOps.Inference.Tests.BatchJobs;

/// <summary>What a user of batch scoring does, over gRPC.</summary>
internal sealed class BatchClient(ChannelBase channel)
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(120);

    public BatchScoringService.BatchScoringServiceClient Calls { get; } = new(channel);

    public Task<BatchInput> UploadAsync(string text, BatchFormat format = BatchFormat.Csv, string expectedDigest = "") =>
        UploadAsync(Encoding.UTF8.GetBytes(text), format, expectedDigest);

    public async Task<BatchInput> UploadAsync(byte[] text, BatchFormat format = BatchFormat.Csv, string expectedDigest = "")
    {
        using var call = Calls.UploadBatchInput();
        await call.RequestStream.WriteAsync(new UploadBatchInputRequest
        {
            Header = new UploadBatchInputRequest.Types.Header { Format = format, ExpectedDigest = expectedDigest },
        });
        foreach (var chunk in text.Chunk(100_003))
        {
            await call.RequestStream.WriteAsync(new UploadBatchInputRequest { Chunk = ByteString.CopyFrom(chunk) });
        }

        await call.RequestStream.CompleteAsync();
        return await call;
    }

    public async Task<BatchJob> CreateAsync(BatchJobSpec spec, string key = "") =>
        await Calls.CreateBatchJobAsync(new CreateBatchJobRequest { Spec = spec, IdempotencyKey = key });

    public async Task<BatchJob> GetAsync(string id) => await Calls.GetBatchJobAsync(new GetBatchJobRequest { JobId = id });

    /// <summary>Makes the job and waits for its end, whichever it is.</summary>
    public async Task<BatchJob> RunAsync(BatchJobSpec spec) => await EndAsync((await CreateAsync(spec)).JobId);

    public async Task<BatchJob> EndAsync(string id)
    {
        var job = await GetAsync(id);
        await Eventually.Async(
            async () => (job = await GetAsync(id)).FinishedAtMicros > 0, Deadline, $"batch job {id} ends, it is {job}");
        return job;
    }

    /// <summary>Makes the job, waits for it to complete and reads its result.</summary>
    public async Task<string> ScoreAsync(BatchJobSpec spec)
    {
        var job = await RunAsync(spec);
        Assert.True(job.State == BatchJob.Types.State.Completed, job.Failure);
        return await DownloadAsync(job.JobId);
    }

    public async Task<string> DownloadAsync(string id)
    {
        using var call = Calls.DownloadBatchResult(new DownloadBatchResultRequest { JobId = id });
        using var content = new MemoryStream();
        await foreach (var part in call.ResponseStream.ReadAllAsync()) content.Write(part.Chunk.Span);
        return Encoding.UTF8.GetString(content.ToArray());
    }

    public async Task<IReadOnlyList<UnscoredRow>> QuarantineAsync(string id) =>
        (await Calls.ListQuarantinedRowsAsync(new ListQuarantinedRowsRequest { JobId = id })).Rows;
}
