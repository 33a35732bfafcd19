using Google.Protobuf;
using Grpc.Core;
using MlOps.Contracts.Registry.V1;

namespace MlOps.Training.Runs;

/// <summary>Records runs and artifacts in Registry; every call may be repeated after a crash.</summary>
internal sealed class RunRecorder(RegistryService.RegistryServiceClient registry, TimeProvider time)
{
    private const int MetricsPerCall = 500;
    private const int ChunkBytes = 256 * 1024;
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan TransferTimeout = TimeSpan.FromMinutes(2);

    /// <summary>The run, started or started again; as it ended when it has ended already.</summary>
    internal async Task<Run> StartAsync(CreateRunRequest request, CancellationToken ct)
    {
        try
        {
            return await registry.CreateRunAsync(request, deadline: In(CallTimeout), cancellationToken: ct);
        }
        catch (RpcException e) when (CodeOf(e) == "RUN_FINISHED")
        {
            return await GetAsync(request.RunId, ct);
        }
    }

    /// <summary>The run, started unless it was; unlike <see cref="StartAsync"/> this is no further attempt.</summary>
    internal async Task<Run> EnsureStartedAsync(CreateRunRequest request, CancellationToken ct)
    {
        try
        {
            return await GetAsync(request.RunId, ct);
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.NotFound)
        {
            return await StartAsync(request, ct);
        }
    }

    internal async Task LogAsync(string runId, IReadOnlyCollection<Metric> metrics, CancellationToken ct)
    {
        foreach (var chunk in metrics.Chunk(MetricsPerCall))
            await LogAsync(new LogBatchRequest { RunId = runId, Metrics = { chunk } }, ct);
    }

    internal async Task LogAsync(LogBatchRequest batch, CancellationToken ct)
    {
        // With a time of its own a point is stored once, however often the call is repeated.
        var now = (time.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;
        foreach (var metric in batch.Metrics.Where(m => m.TimeMicros == 0)) metric.TimeMicros = now;
        await registry.LogBatchAsync(batch, deadline: In(CallTimeout), cancellationToken: ct);
    }

    internal async Task FinishAsync(string runId, Run.Types.Status status, string failure, CancellationToken ct) =>
        await registry.FinishRunAsync(
            new FinishRunRequest { RunId = runId, Status = status, Failure = failure },
            deadline: In(CallTimeout), cancellationToken: ct);

    /// <summary>Ends the run if it was ever started and has not ended.</summary>
    internal async Task EndIfRunningAsync(string runId, Run.Types.Status status, string failure, CancellationToken ct)
    {
        try
        {
            await FinishAsync(runId, status, failure, ct);
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.NotFound || CodeOf(e) == "RUN_FINISHED")
        {
            // Never started, or ended another way: either is an end.
        }
    }

    internal async Task<ModelVersion> RegisterAsync(RegisterModelVersionRequest request, CancellationToken ct) =>
        await registry.RegisterModelVersionAsync(request, deadline: In(CallTimeout), cancellationToken: ct);

    /// <summary>The digest under which the content is kept.</summary>
    internal async Task<string> UploadAsync(string name, ReadOnlyMemory<byte> content, CancellationToken ct)
    {
        using var call = registry.UploadArtifact(deadline: In(TransferTimeout), cancellationToken: ct);
        await call.RequestStream.WriteAsync(new() { Header = new() { Name = name } }, ct);
        for (var at = 0; at < content.Length; at += ChunkBytes)
        {
            var chunk = content.Slice(at, Math.Min(ChunkBytes, content.Length - at));
            // The bytes stay as they are until the call has ended.
            await call.RequestStream.WriteAsync(new() { Chunk = UnsafeByteOperations.UnsafeWrap(chunk) }, ct);
        }
        await call.RequestStream.CompleteAsync();
        return (await call.ResponseAsync).Digest;
    }

    internal async Task<byte[]> DownloadAsync(string digest, CancellationToken ct)
    {
        using var call = registry.DownloadArtifact(
            new DownloadArtifactRequest { Digest = digest }, deadline: In(TransferTimeout), cancellationToken: ct);
        using var content = new MemoryStream();
        await foreach (var part in call.ResponseStream.ReadAllAsync(ct)) content.Write(part.Chunk.Span);
        return content.ToArray();
    }

    private async Task<Run> GetAsync(string runId, CancellationToken ct) =>
        await registry.GetRunAsync(new GetRunRequest { RunId = runId }, deadline: In(CallTimeout), cancellationToken: ct);

    private DateTime In(TimeSpan timeout) => (time.GetUtcNow() + timeout).UtcDateTime;

    private static string? CodeOf(RpcException e) => e.Trailers.GetValue("mlops-code");
}
