using System.Globalization;
using System.Net;
using Microsoft.Extensions.Options;
using MlOps.Gateway.Routes;
using MlOps.Gateway.Splits;
using MlOps.ServiceDefaults;

namespace MlOps.Gateway.Shadows;

/// <summary>
/// Sends the copies that wait to Inference, a few at a time, in no haste: what does not answer in time is let go of, and what it
/// answers is read by nobody but the prediction log.
/// </summary>
internal sealed partial class SendShadows(
    ShadowQueue queue, IConfiguration configuration, IOptions<ShadowOptions> options, GatewayMetrics metrics, TimeProvider time,
    ILogger<SendShadows> logger) : BackgroundService
{
    private const string GrpcStatus = "grpc-status";
    private const string ResourceExhausted = "8";
    private readonly PlatformCredential _credential = new(configuration);
    private readonly Uri[] _rest = Addresses(configuration, "http");
    private readonly Uri[] _grpc = Addresses(configuration, "grpc");
    private int _turn;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var client = new HttpMessageInvoker(new SocketsHttpHandler
        {
            EnableMultipleHttp2Connections = true,
            ConnectTimeout = options.Value.Timeout,
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = false,
            ActivityHeadersPropagator = null,
        });
        await Task.WhenAll(Enumerable.Range(0, options.Value.Concurrency).Select(_ => SendAllAsync(client, stoppingToken)));
    }

    private async Task SendAllAsync(HttpMessageInvoker client, CancellationToken ct)
    {
        try
        {
            await foreach (var (copy, shadow) in queue.Waiting.ReadAllAsync(ct))
            {
                try
                {
                    var began = time.GetTimestamp();
                    shadow.Count(await SendAsync(client, copy, shadow, ct));
                    metrics.ShadowDuration.Record(
                        time.GetElapsedTime(began).TotalSeconds, new("model", shadow.Model), new KeyValuePair<string, object?>("version", shadow.Version));
                }
                finally
                {
                    copy.LetGo();
                }
            }
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
        }
    }

    private async Task<ShadowOutcome> SendAsync(HttpMessageInvoker client, ShadowCopy copy, SplitShadow shadow, CancellationToken ct)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(options.Value.Timeout);
        try
        {
            using var request = RequestOf(copy, shadow);
            using var response = await client.SendAsync(request, limit.Token);
            await response.Content.CopyToAsync(Stream.Null, limit.Token);
            return OutcomeOf(copy, response);
        }
        catch (HttpRequestException e) when (e.HttpRequestError is HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError
            or HttpRequestError.SecureConnectionError)
        {
            LogUnreached(shadow.Model, shadow.Version, e.Message);
            return ShadowOutcome.Unreached;
        }
        catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException && !ct.IsCancellationRequested)
        {
            LogFailed(shadow.Model, shadow.Version, e.Message);
            return Failed(copy);
        }
    }

    private HttpRequestMessage RequestOf(ShadowCopy copy, SplitShadow shadow)
    {
        var addresses = copy.IsGrpc ? _grpc : _rest;
        var address = addresses[(int)((uint)Interlocked.Increment(ref _turn) % (uint)addresses.Length)];
        var request = new HttpRequestMessage(HttpMethod.Post, new Uri(address, copy.PathAndQuery))
        {
            Version = copy.IsGrpc ? HttpVersion.Version20 : HttpVersion.Version11,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(copy.Body),
        };
        foreach (var (name, value) in copy.Headers)
        {
            if (!request.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)value))
                request.Content.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)value);
        }

        if (copy.IsGrpc) request.Headers.TE.ParseAdd("trailers");
        request.Headers.TryAddWithoutValidation(SplitHeaders.Version, shadow.Version);
        request.Headers.TryAddWithoutValidation(SplitHeaders.Tier, "shadow");
        request.Headers.TryAddWithoutValidation(SplitHeaders.ShadowOf, copy.ShadowOf);
        _credential.AddTo(request);
        return request;
    }

    private static ShadowOutcome OutcomeOf(ShadowCopy copy, HttpResponseMessage response)
    {
        if (response.StatusCode == HttpStatusCode.TooManyRequests) return ShadowOutcome.Shed;
        if (!response.IsSuccessStatusCode) return Failed(copy);
        if (!copy.IsGrpc) return Answered(copy);
        // Of an answer without a message it stands among the headers.
        var status = response.TrailingHeaders.TryGetValues(GrpcStatus, out var behind) || response.Headers.TryGetValues(GrpcStatus, out behind)
            ? behind.First()
            : "";
        if (status == ResourceExhausted) return ShadowOutcome.Shed;
        return int.TryParse(status, NumberStyles.None, CultureInfo.InvariantCulture, out var code) && code == 0 ? Answered(copy) : Failed(copy);
    }

    private static ShadowOutcome Answered(ShadowCopy copy) => copy.HasLiveAnswered ? ShadowOutcome.BothAnswered : ShadowOutcome.OnlyShadowAnswered;

    private static ShadowOutcome Failed(ShadowCopy copy) => copy.HasLiveAnswered ? ShadowOutcome.OnlyLiveAnswered : ShadowOutcome.NeitherAnswered;

    private static Uri[] Addresses(IConfiguration configuration, string endpoint) =>
        [.. PlatformService.All.Single(s => s.Name == PlatformService.Inference).Addresses(configuration, endpoint).Select(a => new Uri(a))];

    [LoggerMessage(Level = LogLevel.Debug, Message = "A copy for the shadow {Model} {Version} reached nobody: {Reason}")]
    private partial void LogUnreached(string model, string version, string reason);

    [LoggerMessage(Level = LogLevel.Debug, Message = "The shadow {Model} {Version} did not answer a copy: {Reason}")]
    private partial void LogFailed(string model, string version, string reason);
}
