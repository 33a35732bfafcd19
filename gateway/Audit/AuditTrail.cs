using System.Threading.Channels;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Gateway.Audit;

/// <summary>
/// Adds to the audit: with a change, in the transaction that makes it; or by itself, durable when the call returns. Of the
/// latter those that come together share a transaction.
/// </summary>
internal sealed partial class AuditTrail(NpgsqlDataSource source, TimeProvider time, ILogger<AuditTrail> logger) : BackgroundService
{
    private const int MaxWaiting = 10_000;
    private const int MaxBatch = 500;
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LastWrite = TimeSpan.FromSeconds(5);

    private readonly Channel<Pending> _waiting = Channel.CreateBounded<Pending>(new BoundedChannelOptions(MaxWaiting) { SingleReader = true });
    // Outcomes that could not be written yet. Only the writing loop touches it.
    private readonly List<Pending> _kept = [];

    /// <summary>Notes a change in its transaction: both are there or neither.</summary>
    /// <param name="transaction">Locks nothing more after this.</param>
    /// <param name="change">What was changed.</param>
    /// <param name="ct">Ends the waiting.</param>
    public Task AddAsync(NpgsqlTransaction transaction, AuditedChange change, CancellationToken ct) =>
        AddAsync(transaction, [change], ct);

    /// <summary>Notes changes in the transaction that makes them all.</summary>
    public async Task AddAsync(NpgsqlTransaction transaction, IReadOnlyList<AuditedChange> changes, CancellationToken ct)
    {
        var (request, at) = (AuditedRequest.Current, AuditedRequest.Microseconds(time.GetUtcNow()));
        await AuditChain.AddAsync(
            transaction,
            [
                .. changes.Select(change => new AuditDraft(
                    at, request?.Actor ?? $"platform:{change.By}", request?.Action ?? change.What,
                    change.Model, change.Target, "done", "OK", 0, change.Reason, change.Before, change.After, AuditedRequest.TraceId)),
            ],
            ct);
        if (request is not null) request.IsWritten = true;
    }

    /// <summary>Adds an entry and answers its sequence once it is durable.</summary>
    public async Task<long> AppendAsync(AuditDraft draft, CancellationToken ct)
    {
        var pending = new Pending(draft, MustBeWritten: false);
        await _waiting.Writer.WriteAsync(pending, ct);
        return await pending.Written.Task.WaitAsync(ct);
    }

    /// <summary>
    /// Adds the outcome of what began. While PostgreSQL is away it is kept, up to ten thousand of them, and written when that
    /// is back; the call waits for it no longer than the patience.
    /// </summary>
    public async Task EndAsync(AuditDraft draft, TimeSpan patience)
    {
        var pending = new Pending(draft, MustBeWritten: true);
        if (!_waiting.Writer.TryWrite(pending))
        {
            LogLost(1, draft.Action);
            return;
        }

        try
        {
            await pending.Written.Task.WaitAsync(patience, time);
        }
        catch (TimeoutException)
        {
            LogLate(draft.Action);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            while (await _waiting.Reader.WaitToReadAsync(stoppingToken))
            {
                // What is kept is tried again whether or not anything new comes.
                while (!await WriteWaitingAsync(stoppingToken)) await Task.Delay(Pause, time, stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            _waiting.Writer.TryComplete();
            using var soon = new CancellationTokenSource(LastWrite, time);
            while ((_waiting.Reader.TryPeek(out _) || _kept.Count > 0) && await WriteWaitingAsync(soon.Token))
            {
            }
        }
    }

    // False: the database is away.
    private async Task<bool> WriteWaitingAsync(CancellationToken ct)
    {
        List<Pending> batch = [.. _kept];
        _kept.Clear();
        while (batch.Count < MaxBatch && _waiting.Reader.TryRead(out var next)) batch.Add(next);
        if (batch.Count == 0) return true;
        try
        {
            var first = await source.InTransactionAsync(
                transaction => AuditChain.AddAsync(transaction, [.. batch.Select(p => p.Draft)], ct), ct);
            for (var i = 0; i < batch.Count; i++) batch[i].Written.TrySetResult(first + i);
            return true;
        }
        catch (Exception e)
        {
            // Whoever waits is told; what must be written is kept for the next time.
            foreach (var pending in batch.Where(p => !p.MustBeWritten)) pending.Written.TrySetException(e);
            _kept.AddRange(batch.Where(p => p.MustBeWritten).Take(MaxWaiting));
            LogNotWritten(batch.Count, e.Message);
            return false;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Count} entries of the audit cannot be written: {Reason}")]
    private partial void LogNotWritten(int count, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The outcome of {Action} is written to the audit later")]
    private partial void LogLate(string action);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Count} outcomes are not in the audit, which only has that they began; the last: {Action}")]
    private partial void LogLost(int count, string action);

    private sealed record Pending(AuditDraft Draft, bool MustBeWritten)
    {
        public TaskCompletionSource<long> Written { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}

/// <summary>A change that the gateway makes itself.</summary>
/// <param name="What">In words, for where no request asked for it.</param>
/// <param name="Model">The model it is about; empty: none.</param>
/// <param name="Target">What was changed besides, e.g. the id of a key.</param>
/// <param name="By">Who the change is said to come from.</param>
/// <param name="Reason">Why, as far as it was said.</param>
/// <param name="Before">JSON; null: it was not there.</param>
/// <param name="After">JSON; null: it is gone.</param>
internal sealed record AuditedChange(
    string What, string Model, string Target, string By, string Reason, string? Before, string? After);
