using System.Net.Http.Headers;
using Microsoft.Extensions.Options;
using MlOps.Contracts.Inference.V1;

namespace MlOps.Inference.Streams;

/// <summary>
/// Posts answers to a stream's webhook: those of a subject one after the other, those of different ones side by side. A message
/// whose answer is not taken after all its tries is refused.
/// </summary>
internal sealed partial class StreamWebhook(IOptions<StreamOptions> options, TimeProvider time, ILogger<StreamWebhook> logger) : IDisposable
{
    /// <summary>The message's id: who takes the answer knows one that comes again by it.</summary>
    public const string MessageIdHeader = "x-mlops-message-id";

    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(15);

    private readonly HttpMessageInvoker _http = new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        PooledConnectionLifetime = TimeSpan.FromMinutes(2),
    });

    public Task SendAsync(ModelStream stream, IEnumerable<StreamMessage> answered, CancellationToken ct)
    {
        if (stream.Webhook.Length == 0) return Task.CompletedTask;
        var address = options.Value.Webhooks[stream.Webhook];
        return Task.WhenAll(answered.GroupBy(m => m.Subject.Length > 0 ? m.Subject : m.Id).Select(async ofSubject =>
        {
            foreach (var message in ofSubject) await SendAsync(stream, address, message, ct);
        }));
    }

    public void Dispose() => _http.Dispose();

    private async Task SendAsync(ModelStream stream, Uri address, StreamMessage message, CancellationToken ct)
    {
        var pause = ShortestPause;
        for (var attempt = 1; ; attempt++)
        {
            var why = await TrySendAsync(address, message, ct);
            if (why is null) return;
            if (attempt == stream.MaxAttempts)
            {
                message.Refuse("WEBHOOK_REFUSED", $"The webhook '{stream.Webhook}' did not take the answer: {why}");
                return;
            }

            LogNotTaken(stream.Model, stream.Webhook, why);
            await Task.Delay(pause, time, ct);
            pause = pause * 2 > LongestPause ? LongestPause : pause * 2;
        }
    }

    // Null: it has the answer.
    private async Task<string?> TrySendAsync(Uri address, StreamMessage message, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, address) { Content = new ByteArrayContent(message.Answer ?? []) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        request.Headers.TryAddWithoutValidation(MessageIdHeader, message.Id);
        request.Headers.TryAddWithoutValidation("x-correlation-id", message.CorrelationId);
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(ct);
        timeout.CancelAfter(options.Value.WebhookTimeout);
        try
        {
            using var answer = await _http.SendAsync(request, timeout.Token);
            return answer.IsSuccessStatusCode ? null : $"it answered {(int)answer.StatusCode}";
        }
        catch (HttpRequestException e)
        {
            return e.Message;
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return "it took too long";
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "An answer of the stream of {Model} was not taken by {Webhook}; trying again: {Reason}")]
    private partial void LogNotTaken(string model, string webhook, string reason);
}
