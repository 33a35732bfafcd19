using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Options;
using MlOps.Inference.Predictions;

namespace MlOps.Inference.PredictionLog;

/// <summary>
/// Answered requests as CloudEvents to the address of their model, for those who have KServe's payload logging already. A
/// prediction never waits for it: an event too large, or one too many, is dropped and counted.
/// </summary>
internal sealed partial class PayloadSink : IHostedService, IDisposable
{
    /// <summary>How long a receiver may take for one event.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<string, PayloadQueue> _queues = new(StringComparer.Ordinal);
    // No trace of its own: it would be one per event.
    private readonly HttpMessageInvoker _http = new(new SocketsHttpHandler
    {
        ActivityHeadersPropagator = null,
        AllowAutoRedirect = false,
        PooledConnectionLifetime = TimeSpan.FromMinutes(2),
    });
    private readonly Counter<long> _dropped;
    private readonly MaskingKey _key;
    private readonly InferenceOptions _options;
    private readonly ILogger<PayloadSink> _logger;
    private readonly Func<string, PayloadQueue> _open;
    private string _lastReason = "";

    public PayloadSink(
        MaskingKey key, InferenceTelemetry telemetry, IOptions<InferenceOptions> options, ILogger<PayloadSink> logger)
    {
        (_key, _options, _logger) = (key, options.Value, logger);
        _dropped = telemetry.Meter.CreateCounter<long>(
            "mlops.inference.payloads.dropped", "{event}", "Payload events lost: too large, too many, or not taken by the receiver");
        _open = url => new PayloadQueue(new Uri(url), _options.CloudEventsNamespace, _options.CloudEventsQueueBytes, _http, Drop);
    }

    /// <summary>Takes the request and the answer of a workspace, as far as the model's settings ask for them.</summary>
    public void Add(Workspace workspace, Call call, Guid id, DateTimeOffset now)
    {
        var log = workspace.Model.Settings.Log;
        if (log.CloudEventsUrl.Length == 0) return;
        var queue = _queues.GetOrAdd(log.CloudEventsUrl, _open);
        if (workspace.LoggedValues > _options.CloudEventsMaxValues || queue.IsFull)
        {
            Count(log.CloudEventsMode == "all" ? 2 : 1, workspace.Model.Model, queue.IsFull ? "full" : "large");
            return;
        }

        if (log.CloudEventsMode != "response")
            queue.Add(PayloadEvent.Of(false, workspace, call, id, now, PayloadJson.Request(workspace, id, _key)));
        if (log.CloudEventsMode != "request")
            queue.Add(PayloadEvent.Of(true, workspace, call, id, now, PayloadJson.Answer(workspace, id)));
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) =>
        Task.WhenAll(_queues.Values.Select(queue => queue.StopAsync(cancellationToken)));

    private void Drop(PayloadEvent payload, string reason) => Count(1, payload.Model, reason);

    // A receiver that is away is told once, not once an event.
    private void Count(int events, string model, string reason)
    {
        _dropped.Add(events, new("model", model), new("reason", reason));
        if (Interlocked.Exchange(ref _lastReason, reason) != reason) LogDropped(model, reason);
    }

    public void Dispose() => _http.Dispose();

    [LoggerMessage(Level = LogLevel.Warning, Message = "Payload events of model {Model} are dropped: {Reason}")]
    private partial void LogDropped(string model, string reason);
}
