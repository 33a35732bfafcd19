using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace MlOps.Inference.Tests;

/// <summary>One CloudEvent as a receiver reads it: headers decoded as the HTTP binding says.</summary>
internal sealed record ReceivedEvent(IReadOnlyDictionary<string, string> Headers, JsonElement Data)
{
    public string this[string attribute] => Headers[$"ce-{attribute}"];
}

/// <summary>A receiver of CloudEvents, which can be told to keep its senders waiting.</summary>
internal sealed class EventReceiver : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly TaskCompletionSource _open = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly bool _isSlow;

    private EventReceiver(int port, bool isSlow)
    {
        _isSlow = isSlow;
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.ConfigureKestrel(k => k.ListenLocalhost(port));
        _app = builder.Build();
        _app.MapPost("/events", TakeAsync);
        Url = $"http://127.0.0.1:{port}/events";
    }

    public string Url { get; }

    public ConcurrentQueue<ReceivedEvent> Events { get; } = [];

    public static async Task<EventReceiver> StartAsync(int port, bool isSlow = false)
    {
        var receiver = new EventReceiver(port, isSlow);
        await receiver._app.StartAsync();
        return receiver;
    }

    /// <summary>Takes what waits, and everything after it at once.</summary>
    public void Release() => _open.TrySetResult();

    public async ValueTask DisposeAsync()
    {
        Release();
        await _app.DisposeAsync();
    }

    private async Task TakeAsync(HttpContext http)
    {
        if (_isSlow) await _open.Task.WaitAsync(http.RequestAborted);
        using var json = await JsonDocument.ParseAsync(http.Request.Body);
        Events.Enqueue(new ReceivedEvent(
            http.Request.Headers.ToDictionary(h => h.Key.ToLowerInvariant(), h => Decoded(h.Value.ToString())), json.RootElement.Clone()));
        http.Response.StatusCode = StatusCodes.Status202Accepted;
    }

    private static string Decoded(string header) => Uri.UnescapeDataString(header);
}
