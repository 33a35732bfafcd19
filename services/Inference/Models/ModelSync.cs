using System.Threading.Channels;
using Microsoft.Extensions.Options;

namespace MlOps.Inference.Models;

/// <summary>
/// Keeps the loaded models what the registry says: at start, on its events, and every half minute so that a lost event
/// heals. While the registry is away or a load fails it tries again with growing pauses.
/// </summary>
internal sealed partial class ModelSync(
    ModelHost host, IOptions<InferenceOptions> options, TimeProvider time, ILogger<ModelSync> logger) : BackgroundService
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(500);
    private readonly Channel<bool> _wakes = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    /// <summary>Asks for a refresh now; many asks at once are one.</summary>
    public void Wake() => _wakes.Writer.TryWrite(true);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Task.Yield();
        var failures = 0;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await host.RefreshAsync(stoppingToken);
                var loading = host.LoadWantedAsync(stoppingToken);
                // A load that hangs must not keep an alias of another model from moving.
                using var round = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
                await Task.WhenAny(loading, _wakes.Reader.WaitToReadAsync(round.Token).AsTask());
                // Without this every quiet round would leave a waiter behind.
                await round.CancelAsync();
                failures = loading.IsCompleted && !await loading ? failures + 1 : 0;
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                LogNotRefreshed(e.Message);
                failures++;
            }

            await WaitAsync(PauseAfter(failures), stoppingToken);
        }
    }

    private TimeSpan PauseAfter(int failures)
    {
        var longest = options.Value.RefreshInterval;
        if (failures is 0 or > 10) return longest;
        var pause = FirstPause * (1 << (failures - 1));
        return pause < longest ? pause : longest;
    }

    private async Task WaitAsync(TimeSpan pause, CancellationToken ct)
    {
        using var limit = new CancellationTokenSource(pause, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, limit.Token);
        try
        {
            await _wakes.Reader.ReadAsync(either.Token);
        }
        catch (OperationCanceledException)
        {
            // The pause is over, or the service stops.
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Models could not be refreshed, loaded ones stay: {Reason}")]
    private partial void LogNotRefreshed(string reason);
}
