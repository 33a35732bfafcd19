using Grpc.Core;
using Grpc.Core.Interceptors;
using Microsoft.Extensions.Logging;

namespace MlOps.ServiceDefaults.Failures;

/// <summary>Turns every exception of a gRPC call into a status, with the stable code in the trailer <c>mlops-code</c>.</summary>
internal sealed partial class FailureInterceptor(ILogger<FailureInterceptor> logger) : Interceptor
{
    public const string CodeTrailer = "mlops-code";

    public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            return await continuation(request, context);
        }
        catch (Exception e) when (e is not RpcException { Trailers.Count: 0, StatusCode: StatusCode.Unimplemented })
        {
            throw Translate(e, context);
        }
    }

    public override async Task<TResponse> ClientStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream, ServerCallContext context,
        ClientStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            return await continuation(requestStream, context);
        }
        catch (Exception e)
        {
            throw Translate(e, context);
        }
    }

    public override async Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request, IServerStreamWriter<TResponse> responseStream, ServerCallContext context,
        ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            await continuation(request, responseStream, context);
        }
        catch (Exception e)
        {
            throw Translate(e, context);
        }
    }

    public override async Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream, IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context, DuplexStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            await continuation(requestStream, responseStream, context);
        }
        catch (Exception e)
        {
            throw Translate(e, context);
        }
    }

    private RpcException Translate(Exception exception, ServerCallContext context)
    {
        var failure = Failure.Of(exception, context.CancellationToken);
        if (failure.IsUnexpected) LogUnexpected(exception, context.Method);

        var status = failure.Grpc is StatusCode.Cancelled && context.Deadline != DateTime.MaxValue
            ? StatusCode.DeadlineExceeded
            : failure.Grpc;
        var trailers = new Metadata { { CodeTrailer, failure.Code } };
        if (status == StatusCode.ResourceExhausted) trailers.Add("retry-after", Failure.RetryAfterSeconds);
        return new RpcException(new Status(status, failure.Message), trailers);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Call {Method} failed unexpectedly")]
    private partial void LogUnexpected(Exception exception, string method);
}
