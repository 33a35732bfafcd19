using Grpc.Core;
using MlOps.Contracts.Inference.V1;

namespace MlOps.Inference.Streams;

/// <summary>The contract <c>mlops.inference.v1.StreamScoringService</c>.</summary>
internal sealed class StreamGrpcService(StreamBook book) : StreamScoringService.StreamScoringServiceBase
{
    public override Task<ModelStream> PutStream(PutStreamRequest request, ServerCallContext context) =>
        book.PutAsync(request.Stream ?? new ModelStream(), context.CancellationToken);

    public override Task<ModelStream> GetStream(GetStreamRequest request, ServerCallContext context) =>
        book.GetAsync(request.Model, context.CancellationToken);

    public override async Task<ListStreamsResponse> ListStreams(ListStreamsRequest request, ServerCallContext context) =>
        new() { Streams = { await book.ListAsync(context.CancellationToken) } };

    public override async Task<DeleteStreamResponse> DeleteStream(DeleteStreamRequest request, ServerCallContext context)
    {
        await book.DeleteAsync(request.Model, context.CancellationToken);
        return new DeleteStreamResponse();
    }
}
