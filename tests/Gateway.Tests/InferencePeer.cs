using System.Collections.Concurrent;
using System.Net;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Inference.V1;
using MlOps.Contracts.OpenInference;
using MlOps.Contracts.Tables.V1;
using MlOps.TestServers;

namespace MlOps.Gateway.Tests;

/// <summary>What a service behind the gateway saw of one request.</summary>
internal sealed record Seen(string Path, string? Version, string? Variant, string? TraceParent, byte[] Body)
{
    /// <summary>Every header, by its name in lower case; one sent twice has its values joined by a bar.</summary>
    public required IReadOnlyDictionary<string, string> Headers { get; init; }
}

/// <summary>
/// A real server in the place of the services: answers both prediction protocols and a two-way stream, and remembers what
/// reached it. It can go away and come back on the same ports.
/// </summary>
internal sealed class InferencePeer : IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, ConnectionContext> _connections = [];
    private WebApplication? _app;
    private int _hanging;
    private int _givenUp;

    public int HttpPort { get; } = FreePorts.Take();

    public int GrpcPort { get; } = FreePorts.Take();

    public ConcurrentQueue<Seen> Requests { get; } = new();

    public bool IsHealthy { get; set; } = true;

    /// <summary>What becomes of copies for shadows: <c>answer</c>, <c>fail</c>, or <c>hang</c> until their sender gives up.</summary>
    public string Shadows { get; set; } = "answer";

    /// <summary>Copies that hang.</summary>
    public int Hanging => Volatile.Read(ref _hanging);

    /// <summary>Status of every REST answer; 0: as it should be.</summary>
    public int FailsWith { get; init; }

    /// <summary>What requests named "wait" wait for.</summary>
    public TaskCompletionSource Gate { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Requests named "hang" that were given up.</summary>
    public int GivenUp => Volatile.Read(ref _givenUp);

    /// <summary>Whether the answers carry headers about the version themselves, as those of Inference do.</summary>
    public bool AnswersVersion { get; set; }

    public async Task StartAsync()
    {
        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Listen(IPAddress.Loopback, HttpPort, listen => listen.Protocols = HttpProtocols.Http1);
            kestrel.Listen(IPAddress.Loopback, GrpcPort, listen =>
            {
                listen.Protocols = HttpProtocols.Http2;
                listen.Use(next => async connection =>
                {
                    _connections.TryAdd(connection.ConnectionId, connection);
                    await next(connection);
                    _connections.TryRemove(connection.ConnectionId, out _);
                });
            });
        });
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.Zero);
        builder.Services.AddGrpc(grpc => grpc.MaxReceiveMessageSize = grpc.MaxSendMessageSize = 64 * 1024 * 1024);
        builder.Services.AddSingleton(this);
        _app = builder.Build();
        _app.MapGrpcService<OpenInference>();
        _app.MapGrpcService<Predictions>();
        _app.MapGrpcService<Features>();
        _app.MapGet("/health", () => Results.Json(
            new { status = IsHealthy ? "healthy" : "unhealthy", checks = new { PostgreSql = new { status = "healthy" } } },
            statusCode: IsHealthy ? 200 : 503));
        _app.MapGet("/alive", () => "alive");
        _app.Map("{**path}", (Delegate)AnswerAsync);
        await _app.StartAsync();
    }

    /// <summary>Away at once, like a killed process: the connections break before any call can be ended in order.</summary>
    public async Task StopAsync()
    {
        if (_app is null) return;
        foreach (var connection in _connections.Values) connection.Abort(new ConnectionAbortedException("killed"));
        await _app.StopAsync();
        await _app.DisposeAsync();
        _app = null;
    }

    public async ValueTask DisposeAsync() => await StopAsync();

    private async Task<IResult> AnswerAsync(HttpContext http)
    {
        var body = new MemoryStream();
        await http.Request.Body.CopyToAsync(body);
        Note(http, body.ToArray());
        if (!await IsAnsweredAsync(http)) return Results.StatusCode(500);
        if (FailsWith > 0) return Results.StatusCode(FailsWith);
        var path = http.Request.Path.Value ?? "";
        if (path.EndsWith("/wait", StringComparison.Ordinal)) await Gate.Task;
        if (path.EndsWith("/hang", StringComparison.Ordinal)) await HangAsync(http.RequestAborted);
        return Results.Json(new
        {
            model_version = Header(http, "x-mlops-model-version"),
            variant = Header(http, "x-mlops-variant"),
            subject = Header(http, "x-mlops-subject"),
            tier = Header(http, "x-mlops-tier"),
            bytes = body.Length,
        });
    }

    /// <summary>Says which prediction it is, as Inference does, unless it is a copy that is not answered.</summary>
    private async Task<bool> IsAnsweredAsync(HttpContext http)
    {
        http.Response.Headers["x-mlops-prediction-id"] = Guid.NewGuid().ToString("N");
        if (Header(http, "x-mlops-tier") != "shadow" || Shadows == "answer") return true;
        if (Shadows == "fail") return false;
        Interlocked.Increment(ref _hanging);
        try
        {
            await Task.Delay(Timeout.Infinite, http.RequestAborted);
        }
        finally
        {
            Interlocked.Decrement(ref _hanging);
        }

        return false;
    }

    private async Task HangAsync(CancellationToken ct)
    {
        try
        {
            await Task.Delay(Timeout.Infinite, ct);
        }
        finally
        {
            Interlocked.Increment(ref _givenUp);
        }
    }

    private void Note(HttpContext http, byte[] body)
    {
        Requests.Enqueue(new Seen(
            http.Request.Path.Value ?? "", Header(http, "x-mlops-model-version"), Header(http, "x-mlops-variant"),
            Header(http, "traceparent"), body)
        {
            Headers = http.Request.Headers.ToDictionary(
                h => h.Key.ToLowerInvariant(), h => string.Join('|', h.Value.ToArray()), StringComparer.Ordinal),
        });
        if (AnswersVersion) http.Response.Headers["x-mlops-model-version"] = "17";
    }

    private static string? Header(HttpContext http, string name) =>
        http.Request.Headers.TryGetValue(name, out var value) ? value.ToString() : null;

    private sealed class OpenInference(InferencePeer peer) : GRPCInferenceService.GRPCInferenceServiceBase
    {
        public override async Task<ModelInferResponse> ModelInfer(ModelInferRequest request, ServerCallContext context)
        {
            var http = context.GetHttpContext();
            peer.Note(http, request.ToByteArray());
            if (!await peer.IsAnsweredAsync(http)) throw new RpcException(new Status(StatusCode.Internal, "the shadow fails"));
            if (request.Id == "fail") throw new RpcException(new Status(StatusCode.NotFound, "no such model"));
            if (request.Id == "hang") await Task.Delay(Timeout.Infinite, context.CancellationToken);
            if (request.Id == "wait") await peer.Gate.Task;
            context.ResponseTrailers.Add("peer-trailer", "kept");
            return new ModelInferResponse
            {
                ModelName = request.ModelName,
                ModelVersion = Header(http, "x-mlops-model-version") ?? "",
                Id = Header(http, "x-mlops-variant") ?? "",
                RawOutputContents = { request.RawInputContents },
            };
        }

        public override async Task ModelStreamInfer(
            IAsyncStreamReader<ModelInferRequest> requestStream, IServerStreamWriter<ModelStreamInferResponse> responseStream,
            ServerCallContext context)
        {
            await foreach (var request in requestStream.ReadAllAsync(context.CancellationToken))
            {
                peer.Note(context.GetHttpContext(), request.ToByteArray());
                await responseStream.WriteAsync(
                    new ModelStreamInferResponse { InferResponse = new ModelInferResponse { ModelName = request.ModelName } },
                    context.CancellationToken);
            }
        }

        public override Task<ModelReadyResponse> ModelReady(ModelReadyRequest request, ServerCallContext context)
        {
            peer.Note(context.GetHttpContext(), request.ToByteArray());
            return Task.FromResult(new ModelReadyResponse { Ready = true });
        }
    }

    private sealed class Predictions(InferencePeer peer) : InferenceService.InferenceServiceBase
    {
        public override Task<PredictResponse> Predict(PredictRequest request, ServerCallContext context)
        {
            var http = context.GetHttpContext();
            peer.Note(http, request.ToByteArray());
            return Task.FromResult(new PredictResponse
            {
                Model = request.Model,
                Version = Header(http, "x-mlops-model-version") ?? "",
                Variant = Header(http, "x-mlops-variant") ?? "",
            });
        }

        public override Task<ExplainResponse> Explain(ExplainRequest request, ServerCallContext context)
        {
            var http = context.GetHttpContext();
            peer.Note(http, request.ToByteArray());
            return Task.FromResult(new ExplainResponse { Model = request.Model, Version = Header(http, "x-mlops-model-version") ?? "" });
        }
    }

    private sealed class Features : FeatureStoreService.FeatureStoreServiceBase
    {
        public override async Task GetHistoricalFeatures(
            IAsyncStreamReader<GetHistoricalFeaturesRequest> requestStream, IServerStreamWriter<Table> responseStream,
            ServerCallContext context)
        {
            await foreach (var request in requestStream.ReadAllAsync(context.CancellationToken))
            {
                await responseStream.WriteAsync(request.Rows ?? new Table(), context.CancellationToken);
            }
        }
    }
}
