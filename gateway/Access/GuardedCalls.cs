using Google.Protobuf;
using Grpc.Core;
using Grpc.Core.Interceptors;
using MlOps.Gateway.Routes;

namespace MlOps.Gateway.Access;

/// <summary>Judges the gateway's own calls by the model their message names. Those with a stream of messages are not judged one by one, so they are refused.</summary>
internal sealed class GuardedCalls : Interceptor
{
    public override Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        Judge(request, context);
        return continuation(request, context);
    }

    public override Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request, IServerStreamWriter<TResponse> responseStream, ServerCallContext context,
        ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        Judge(request, context);
        return continuation(request, responseStream, context);
    }

    public override Task<TResponse> ClientStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream, ServerCallContext context,
        ClientStreamingServerMethod<TRequest, TResponse> continuation)
    {
        Judge(null, context);
        return continuation(requestStream, context);
    }

    public override Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream, IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context, DuplexStreamingServerMethod<TRequest, TResponse> continuation)
    {
        Judge(null, context);
        return continuation(requestStream, responseStream, context);
    }

    private static void Judge(object? request, ServerCallContext context)
    {
        if (context.GetHttpContext().Features.Get<GuardedCall>() is not { } call) return;
        try
        {
            if (request is IMessage message) call.Judge(message);
            else call.Judge([]);
        }
        catch (RefusedException e)
        {
            throw new RpcException(new Status(e.Refusal.Grpc, e.Message), new Metadata { { GrpcAnswer.CodeField, e.Refusal.Code } });
        }
    }
}
