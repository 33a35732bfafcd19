using Microsoft.Extensions.Options;
using MlOps.Contracts.Inference.V1;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Inference.Streams;

/// <summary>Has a consumer run for every stream that is not paused, anew for one that has changed; and forgets messages after the window.</summary>
internal sealed partial class RunStreams(
    StreamBook book, ConsumeStream consume, StreamLedger ledger, DatabaseState database, IOptions<StreamOptions> options,
    TimeProvider time, ILogger<RunStreams> logger)
    : BackgroundService
{
    private static readonly TimeSpan SweepInterval = TimeSpan.FromMinutes(1);
    private readonly Dictionary<string, RunningStream> _running = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _changed = new(0);

    public override void Dispose()
    {
        _changed.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await database.WaitUntilMigratedAsync(stoppingToken);
        book.Changed += Wake;
        try
        {
            var sweptAt = time.GetTimestamp();
            while (true)
            {
                try
                {
                    await FollowAsync(await book.ListAsync(stoppingToken));
                    if (time.GetElapsedTime(sweptAt) > (options.Value.Window < SweepInterval ? options.Value.Window : SweepInterval))
                    {
                        await ledger.SweepAsync(options.Value.Window, stoppingToken);
                        sweptAt = time.GetTimestamp();
                    }
                }
                catch (NpgsqlException e)
                {
                    LogNotLooked(e.Message);
                }

                await _changed.WaitAsync(options.Value.CheckInterval, stoppingToken);
            }
        }
        finally
        {
            book.Changed -= Wake;
            await FollowAsync([]);
        }
    }

    private async Task FollowAsync(IReadOnlyList<ModelStream> streams)
    {
        var wanted = streams.Where(s => !s.Paused).ToDictionary(s => s.Model, StringComparer.Ordinal);
        RunningStream[] over = [.. _running.Values.Where(r => !wanted.TryGetValue(r.Stream.Model, out var stream) || !stream.Equals(r.Stream))];
        await Task.WhenAll(over.Select(r => r.DisposeAsync().AsTask()));
        foreach (var one in over) _running.Remove(one.Stream.Model);
        foreach (var stream in wanted.Values)
        {
            if (!_running.ContainsKey(stream.Model)) _running.Add(stream.Model, new RunningStream(stream, consume));
        }
    }

    private void Wake() => _changed.Release();

    [LoggerMessage(Level = LogLevel.Warning, Message = "Streams could not be looked up; those that run go on: {Reason}")]
    private partial void LogNotLooked(string reason);

    private sealed class RunningStream : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stopping = new();
        private readonly Task _run;

        public RunningStream(ModelStream stream, ConsumeStream consume)
        {
            Stream = stream;
            _run = Task.Run(() => consume.RunAsync(stream, _stopping.Token));
        }

        public ModelStream Stream { get; }

        public async ValueTask DisposeAsync()
        {
            await _stopping.CancelAsync();
            await _run;
            _stopping.Dispose();
        }
    }
}
