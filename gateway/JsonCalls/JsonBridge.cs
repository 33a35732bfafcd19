using System.IO.Pipelines;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Extensions.Options;
using MlOps.Gateway.Access;
using MlOps.Gateway.Routes;

namespace MlOps.Gateway.JsonCalls;

/// <summary>
/// Every gRPC call as REST: <c>POST /v1/{package.Service}/{Method}</c> with the protobuf JSON of its messages. It becomes the gRPC
/// call before anything else sees it, so access, limits, audit, split and forwarding are those of the call.
/// </summary>
internal sealed class JsonBridge(RequestDelegate next, IOptions<GatewayOptions> options)
{
    private const string Lines = "application/x-ndjson";

    public Task InvokeAsync(HttpContext http) =>
        http.Request.Path.Value is { } path && JsonCall.ByPath.TryGetValue(path, out var call)
        && HttpMethods.IsPost(http.Request.Method) && !GrpcAnswer.IsGrpc(http.Request)
            ? BridgeAsync(http, call)
            : next(http);

    private async Task BridgeAsync(HttpContext http, JsonCall call)
    {
        if (!IsJson(http, call))
        {
            var wanted = call.Method.IsClientStreaming ? Lines : "application/json";
            await new Refusal(
                Grpc.Core.StatusCode.InvalidArgument, StatusCodes.Status415UnsupportedMediaType, "CONTENT_TYPE_UNKNOWN",
                $"This call takes content-type: {wanted}.").WriteAsync(http);
            return;
        }

        var answer = new JsonAnswer(http, call);
        using var turned = new TurnedRequest(http, call, answer, options.Value.MaxRequestBodyBytes);
        try
        {
            await next(http);
        }
        catch (RefusedException)
        {
            // The body was read by one who does not know of it; what is wrong with it is told below.
        }

        turned.Dispose();
        await answer.EndAsync(turned.Body.Refusal);
    }

    // Anything else could be sent by a page of anywhere without the browser asking first.
    private static bool IsJson(HttpContext http, JsonCall call)
    {
        var type = http.Request.ContentType.AsSpan();
        if (type.IsEmpty) return http.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody == false;
        if (type.IndexOf(';') is var parameters and >= 0) type = type[..parameters];
        type = type.Trim();
        return type.Equals("application/json", StringComparison.OrdinalIgnoreCase)
            || (call.Method.IsClientStreaming && type.Equals(Lines, StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>The request made to look like the gRPC call, until it is disposed of.</summary>
    private sealed class TurnedRequest : IDisposable, IHttpRequestBodyDetectionFeature, IRequestBodyPipeFeature
    {
        private readonly HttpContext _http;
        private readonly (PathString Path, string Protocol, string? ContentType, long? Length, Stream Body) _was;
        private readonly FeatureReplacement[] _features;
        private bool _isDisposed;

        public TurnedRequest(HttpContext http, JsonCall call, JsonAnswer answer, long longest)
        {
            _http = http;
            var request = http.Request;
            _was = (request.Path, request.Protocol, request.ContentType, request.ContentLength, request.Body);
            Body = new JsonRequest(call, PipeReader.Create(request.Body, new StreamPipeReaderOptions(leaveOpen: true)), longest);
            Reader = PipeReader.Create(Body, new StreamPipeReaderOptions(leaveOpen: true));
            if (call.Method.IsClientStreaming) Lift(http);

            request.Path = call.GrpcPath;
            request.Protocol = HttpProtocol.Http2;
            request.ContentType = "application/grpc";
            request.ContentLength = null;
            request.Headers.TE = "trailers";
            request.Headers.Remove("Transfer-Encoding");
            _features =
            [
                FeatureReplacement.Set(http, Body),
                FeatureReplacement.Set<IHttpRequestBodyDetectionFeature>(http, this),
                FeatureReplacement.Set<IRequestBodyPipeFeature>(http, this),
                FeatureReplacement.Set<IHttpResponseBodyFeature>(http, answer),
                FeatureReplacement.Set<IHttpResponseTrailersFeature>(http, answer),
                FeatureReplacement.Set<IHttpResetFeature>(http, answer),
                // The limits of a REST body are this one's, whoever lifts those of gRPC.
                FeatureReplacement.Set<IHttpMaxRequestBodySizeFeature>(http, null),
                FeatureReplacement.Set<IHttpMinRequestBodyDataRateFeature>(http, null),
            ];
            request.Body = Reader.AsStream(leaveOpen: true);
        }

        public JsonRequest Body { get; }

        public PipeReader Reader { get; }

        public bool CanHaveBody => true;

        public void Dispose()
        {
            if (_isDisposed) return;
            _isDisposed = true;
            var request = _http.Request;
            foreach (var feature in _features) feature.Undo(_http);
            (request.Path, request.Protocol, request.ContentType, request.ContentLength, request.Body) = _was;
        }

        // A stream may be as long as it likes and rest between its lines, as one of gRPC may.
        private static void Lift(HttpContext http)
        {
            if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size) size.MaxRequestBodySize = null;
            if (http.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } rate) rate.MinDataRate = null;
        }
    }

    private sealed record FeatureReplacement(Type Type, object? Was)
    {
        public static FeatureReplacement Set<T>(HttpContext http, T? feature) where T : class
        {
            var replaced = new FeatureReplacement(typeof(T), http.Features.Get<T>());
            http.Features.Set(feature);
            return replaced;
        }

        public void Undo(HttpContext http) => http.Features[Type] = Was;
    }
}
