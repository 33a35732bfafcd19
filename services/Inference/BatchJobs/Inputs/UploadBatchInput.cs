using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Grpc.Core;
using MlOps.Contracts.Inference.V1;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.BatchJobs.Inputs;

/// <summary>Takes rows from a caller, over gRPC or REST, into the file store while they come.</summary>
internal sealed class UploadBatchInput(StoreInput store)
{
    private const int ChunkBytes = 128 << 10;

    /// <exception cref="InvalidRequestException">UPLOAD_STREAM: the messages come in another order; and those of the store.</exception>
    public async Task<StoredInput> HandleAsync(IAsyncStreamReader<UploadBatchInputRequest> requests, CancellationToken ct)
    {
        var header = await requests.MoveNext(ct) ? requests.Current.Header : null;
        var format = TextFormats.Of(header?.Format ?? BatchFormat.Unspecified)
            ?? throw new InvalidRequestException("UPLOAD_STREAM", "The first message must be a header that says the format.");
        return await store.HandleAsync(format, header?.ExpectedDigest ?? "", ChunksOf(requests, ct), ct);
    }

    /// <exception cref="InvalidRequestException">Those of the store.</exception>
    public Task<StoredInput> HandleAsync(TextFormat format, string expectedDigest, PipeReader body, CancellationToken ct) =>
        store.HandleAsync(format, expectedDigest, ChunksOf(body, ct), ct);

    private static async IAsyncEnumerable<ReadOnlyMemory<byte>> ChunksOf(
        IAsyncStreamReader<UploadBatchInputRequest> requests, [EnumeratorCancellation] CancellationToken ct)
    {
        while (await requests.MoveNext(ct))
        {
            if (requests.Current.PartCase != UploadBatchInputRequest.PartOneofCase.Chunk)
            {
                throw new InvalidRequestException("UPLOAD_STREAM", "After the header only chunks may follow.");
            }

            yield return requests.Current.Chunk.Memory;
        }
    }

    private static async IAsyncEnumerable<ReadOnlyMemory<byte>> ChunksOf(
        PipeReader body, [EnumeratorCancellation] CancellationToken ct)
    {
        await using var stream = body.AsStream(leaveOpen: true);
        var buffer = new byte[ChunkBytes];
        while (await stream.ReadAsync(buffer, ct) is var read and > 0) yield return buffer.AsMemory(0, read);
    }
}
