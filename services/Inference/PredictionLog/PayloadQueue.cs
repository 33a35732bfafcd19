using System.Net.Http.Headers;
using System.Threading.Channels;

namespace MlOps.Inference.PredictionLog;

/// <summary>
/// Payload events that wait for one receiver, bounded in memory, and the senders that bring them there at its pace. What
/// it does not take is dropped.
/// </summary>
internal sealed class PayloadQueue : IDisposable
{
    private const int Senders = 4;
    private readonly Channel<PayloadEvent> _waiting = Channel.CreateUnbounded<PayloadEvent>();
    private readonly CancellationTokenSource _stopping = new();
    private readonly Uri _receiver;
    private readonly string _space;
    private readonly long _maxBytes;
    private readonly Action<PayloadEvent, string> _drop;
    private readonly Task _senders;
    private long _bytes;

    /// <param name="receiver">Address of the receiver.</param>
    /// <param name="space">The extension <c>namespace</c>; empty: none.</param>
    /// <param name="maxBytes">Memory of the events that wait.</param>
    /// <param name="http">Sends them.</param>
    /// <param name="drop">Hears of every event that is lost, and why.</param>
    public PayloadQueue(Uri receiver, string space, long maxBytes, HttpMessageInvoker http, Action<PayloadEvent, string> drop)
    {
        (_receiver, _space, _maxBytes, _drop) = (receiver, space, maxBytes, drop);
        _senders = Task.WhenAll(Enumerable.Range(0, Senders).Select(_ => Task.Run(() => SendAllAsync(http))));
    }

    /// <summary>Whether nothing more would be taken: so that nobody writes an event in vain.</summary>
    public bool IsFull => Volatile.Read(ref _bytes) >= _maxBytes;

    /// <summary>Takes the event, or drops it at once.</summary>
    public void Add(PayloadEvent payload)
    {
        if (Interlocked.Add(ref _bytes, payload.Bytes) <= _maxBytes && _waiting.Writer.TryWrite(payload)) return;
        Interlocked.Add(ref _bytes, -payload.Bytes);
        _drop(payload, "full");
    }

    /// <summary>Takes no more; what waits is sent until <paramref name="ct"/> ends, and then dropped.</summary>
    public async Task StopAsync(CancellationToken ct)
    {
        _waiting.Writer.TryComplete();
        await using var _ = ct.Register(_stopping.Cancel);
        await _senders;
        while (_waiting.Reader.TryRead(out var payload)) _drop(payload, "stopped");
        Dispose();
    }

    public void Dispose() => _stopping.Dispose();

    private async Task SendAllAsync(HttpMessageInvoker http)
    {
        try
        {
            await foreach (var payload in _waiting.Reader.ReadAllAsync(_stopping.Token))
            {
                if (await SendAsync(http, payload) is { } why) _drop(payload, why);
                Interlocked.Add(ref _bytes, -payload.Bytes);
            }
        }
        catch (OperationCanceledException)
        {
            // Stopping.
        }
    }

    // Null: the receiver has it. One try: the log is what must not lose anything.
    private async Task<string?> SendAsync(HttpMessageInvoker http, PayloadEvent payload)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, _receiver) { Content = new ByteArrayContent(payload.Data) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        PayloadHeaders.Add(payload, _space, (name, value) => request.Headers.TryAddWithoutValidation(name, value));
        try
        {
            using var timeout = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
            timeout.CancelAfter(PayloadSink.Patience);
            using var answer = await http.SendAsync(request, timeout.Token);
            return answer.IsSuccessStatusCode ? null : "refused";
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
            return _stopping.IsCancellationRequested ? "stopped" : "away";
        }
    }
}
