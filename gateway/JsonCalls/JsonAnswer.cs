using System.Globalization;
using System.IO.Pipelines;
using System.Text;
using System.Text.Json;
using Grpc.Core;
using Microsoft.AspNetCore.Http.Features;
using MlOps.Gateway.Routes;
using MlOps.ServiceDefaults;

namespace MlOps.Gateway.JsonCalls;

/// <summary>
/// Stands where the answer of a gRPC call is written and tells it in JSON: one message as an object, a stream as lines of
/// <c>{"result": …}</c>, of which the last is <c>{"error": …}</c> where it did not end well.
/// </summary>
internal sealed class JsonAnswer(HttpContext http, JsonCall call) : Stream, IHttpResponseBodyFeature, IHttpResponseTrailersFeature, IHttpResetFeature
{
    private readonly IHttpResponseBodyFeature _real = http.Features.GetRequiredFeature<IHttpResponseBodyFeature>();
    private readonly GrpcFrames _frames = new();
    private PipeWriter? _writer;
    private string? _single;
    private bool _isStarted;

    public IHeaderDictionary Trailers { get; set; } = new HeaderDictionary();

    Stream IHttpResponseBodyFeature.Stream => this;

    public PipeWriter Writer => _writer ??= PipeWriter.Create(this, new StreamPipeWriterOptions(leaveOpen: true));

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        _frames.Add(buffer.Span);
        var isWritten = false;
        while (_frames.TryNext(out var message))
        {
            if (!call.Method.IsServerStreaming)
            {
                _single = call.Format(message);
                continue;
            }

            await WriteLineAsync($"{{\"result\":{call.Format(message)}}}\n", cancellationToken);
            isWritten = true;
        }

        if (isWritten) await _real.Writer.FlushAsync(cancellationToken);
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Ends the answer, once the call is over and the request is as it came.</summary>
    /// <param name="refusal">What was wrong with the request; null: nothing.</param>
    public async Task EndAsync(Refusal? refusal)
    {
        if (_writer is not null) await _writer.FlushAsync(http.RequestAborted);
        if (http.RequestAborted.IsCancellationRequested) return;
        var failure = refusal ?? FailureOf(http.Response);
        if (failure is null && call.Method.IsServerStreaming)
        {
            if (!_isStarted) Start();
        }
        else if (failure is null)
        {
            var bytes = Encoding.UTF8.GetBytes(_single ?? "");
            Clean(http.Response.Headers);
            http.Response.ContentType = "application/json";
            http.Response.ContentLength = bytes.Length;
            await http.Response.BodyWriter.WriteAsync(bytes, http.RequestAborted);
        }
        else if (_isStarted)
        {
            await WriteLineAsync($"{{\"error\":{Describe(failure)}}}\n", http.RequestAborted);
        }
        else
        {
            await failure.WriteAsync(http);
        }
    }

    public Task StartAsync(CancellationToken cancellationToken = default) => Task.CompletedTask;

    public Task CompleteAsync() => Task.CompletedTask;

    public void DisableBuffering()
    {
    }

    // The status is told in the last line, so the connection stays.
    public void Reset(int errorCode)
    {
    }

    public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default) =>
        throw new NotSupportedException("gRPC sends no files.");

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) =>
        throw new NotSupportedException("Answers are written asynchronously.");

    private void Start()
    {
        _isStarted = true;
        Clean(http.Response.Headers);
        http.Response.StatusCode = StatusCodes.Status200OK;
        http.Response.ContentType = "application/x-ndjson";
    }

    private async ValueTask WriteLineAsync(string line, CancellationToken ct)
    {
        if (!_isStarted) Start();
        await _real.Writer.WriteAsync(Encoding.UTF8.GetBytes(line), ct);
    }

    // Null: it ended well. A status comes behind the messages, or, where there are none, in front.
    private Refusal? FailureOf(HttpResponse response)
    {
        var status = Field(response, "grpc-status");
        if (status == "0" && (call.Method.IsServerStreaming || _single is not null)) return null;
        if (!int.TryParse(status, NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number == 0)
        {
            return new Refusal(
                StatusCode.Unavailable, StatusCodes.Status503ServiceUnavailable, "SERVICE_UNAVAILABLE",
                "The service broke off its answer; try again.");
        }

        var grpc = (StatusCode)number;
        var code = Field(response, GrpcAnswer.CodeField) is { Length: > 0 } told ? told : grpc.ToString().ToUpperInvariant();
        var pause = int.TryParse(Field(response, GrpcAnswer.PushbackField), out var ms) ? TimeSpan.FromMilliseconds(ms) : (TimeSpan?)null;
        return new Refusal(grpc, HttpStatus.Of(grpc), code, Uri.UnescapeDataString(Field(response, "grpc-message"))) { RetryAfter = pause };
    }

    private string Field(HttpResponse response, string name) =>
        Trailers.TryGetValue(name, out var behind) ? behind.ToString() : response.Headers[name].ToString();

    private static void Clean(IHeaderDictionary headers)
    {
        foreach (var name in headers.Keys.Where(n => n.StartsWith("grpc-", StringComparison.OrdinalIgnoreCase)).ToArray()) headers.Remove(name);
        headers.Remove(GrpcAnswer.CodeField);
        headers.Remove("Trailer");
        headers.ContentLength = null;
    }

    private static string Describe(Refusal failure) => JsonSerializer.Serialize(
        new { status = failure.Http, code = failure.Code, detail = failure.Message });
}
