using System.Diagnostics;
using System.Net.Sockets;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Npgsql;
using StackExchange.Redis;

namespace MlOps.ServiceDefaults.Failures;

/// <summary>What a caller is told of an exception; the only place that decides it, for gRPC and HTTP alike.</summary>
internal sealed record Failure(StatusCode Grpc, int Http, string Code, string Message, bool IsUnexpected = false)
{
    /// <summary>When to come again with what was too much now.</summary>
    public const string RetryAfterSeconds = "1";

    public IReadOnlyList<FieldViolation> Violations { get; init; } = [];

    public static Failure Of(Exception exception, CancellationToken callAborted) => exception switch
    {
        InvalidRequestException e => new(StatusCode.InvalidArgument, 400, e.Code, e.Message)
        {
            Violations = e.Violations,
        },
        NotFoundException e => new(StatusCode.NotFound, 404, e.Code, e.Message),
        ConflictException e => new(StatusCode.FailedPrecondition, 409, e.Code, e.Message),
        BadHttpRequestException e => new(StatusCode.InvalidArgument, e.StatusCode, "REQUEST_MALFORMED", e.Message),
        // A service behind this one has spoken: its status and words are the best there are.
        RpcException e when e.StatusCode is not (StatusCode.Unknown or StatusCode.Internal) =>
            new(e.StatusCode, HttpStatus.Of(e.StatusCode), CodeOf(e), e.Status.Detail),
        TimeoutException => new(StatusCode.DeadlineExceeded, 504, "DEADLINE_EXCEEDED", "A dependency did not answer in time."),
        RedisConnectionException => new(StatusCode.Unavailable, 503, "REDIS_UNAVAILABLE", "Redis is away; try again."),
        PostgresException { IsTransient: true } => PostgresAway,
        PostgresException => Unexpected,
        NpgsqlException { InnerException: IOException or SocketException or TimeoutException or null } => PostgresAway,
        SocketException => new(StatusCode.Unavailable, 503, "DEPENDENCY_UNAVAILABLE", "A dependency is away; try again."),
        OperationCanceledException when callAborted.IsCancellationRequested =>
            new(StatusCode.Cancelled, 499, "CANCELLED", "The caller gave up."),
        OperationCanceledException =>
            new(StatusCode.DeadlineExceeded, 504, "DEADLINE_EXCEEDED", "The work did not end in time."),
        _ => Unexpected,
    };

    private static Failure PostgresAway =>
        new(StatusCode.Unavailable, 503, "POSTGRES_UNAVAILABLE", "PostgreSQL is away; try again.");

    private static Failure Unexpected => new(
        StatusCode.Internal, 500, "INTERNAL",
        $"Something went wrong here; the log has it under trace {Activity.Current?.TraceId.ToString() ?? "unknown"}.", true);

    private static string CodeOf(RpcException e) =>
        e.Trailers.GetValue(FailureInterceptor.CodeTrailer) ?? e.StatusCode.ToString().ToUpperInvariant();
}
