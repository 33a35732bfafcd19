using Grpc.Core;
using MlOps.Inference.Admission;
using MlOps.Inference.Models;
using MlOps.Inference.Predictions;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Batching;

/// <summary>
/// Has requests of one version share runs, without anybody waiting for company: who finds a run free has it at once on its
/// own thread; who comes while all are taken stands in line, and whatever stands there when one is free again makes up the
/// next. So runs grow with the load.
/// </summary>
internal sealed class Batcher : IThreadPoolWorkItem, IDisposable
{
    private readonly Lock _lock = new();
    private readonly LoadedModel _model;
    private readonly BatchSettings _settings;
    private readonly TimeProvider _time;
    private readonly BatchLine _line;
    private readonly BatchPace _pace;
    private readonly int _maxRows;
    private readonly ITimer _timer;
    private int _runs;
    private bool _isTimed;

    /// <param name="model">The version.</param>
    /// <param name="verdict">What its runs cost, and how large they may be.</param>
    /// <param name="time">The clock.</param>
    public Batcher(LoadedModel model, BatchVerdict verdict, TimeProvider time)
    {
        (_model, _settings, _time) = (model, model.Settings.Batching, time);
        _maxRows = verdict.MaxRows;
        _line = new BatchLine(_settings.MaxWaitingRows, _settings.PreferredRows);
        _pace = new BatchPace(verdict, _settings.TargetLatency);
        _timer = time.CreateTimer(static me => ((Batcher)me!).Expire(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Whether a request of that many rows shares runs.</summary>
    public bool Takes(int rows) => rows < _maxRows;

    /// <summary>Rows that stand in line.</summary>
    public int WaitingRows
    {
        get
        {
            lock (_lock) return _line.Rows;
        }
    }

    /// <summary>Fills the workspace's outputs.</summary>
    /// <exception cref="RpcException">
    /// ResourceExhausted, OVERLOADED: the line is full, or it stood there too long. DeadlineExceeded: the answer would come
    /// too late.
    /// </exception>
    /// <exception cref="OperationCanceledException">The caller gave up while it stood in line.</exception>
    /// <exception cref="InvalidRequestException">MODEL_REFUSED_INPUT.</exception>
    public ValueTask<SharedRun> RunAsync(Workspace workspace, Call call, CancellationToken ct)
    {
        return TryTakeRun() ? new(RunAtOnce(workspace)) : WaitAsync(workspace, call, ct);
    }

    private bool TryTakeRun()
    {
        lock (_lock)
        {
            if (_runs == _settings.MaxRuns) return false;
            _runs++;
            return true;
        }
    }

    private async ValueTask<SharedRun> WaitAsync(Workspace workspace, Call call, CancellationToken ct)
    {
        var member = new BatchMember(workspace, call.Tier, _time.GetTimestamp(), call.Deadline);
        if (!TryStand(member, out var isFree)) throw Full();
        if (isFree) return RunAtOnce(workspace);
        await using var giveUp = ct.UnsafeRegister(
            static (state, ct) =>
            {
                var (me, member) = ((Batcher, BatchMember))state!;
                me.GiveUp(member, ct);
            },
            (this, member));
        return await member.Task;
    }

    // A run may have come free since it was asked for.
    private bool TryStand(BatchMember member, out bool isFree)
    {
        List<BatchMember> displaced = [];
        lock (_lock)
        {
            isFree = _runs < _settings.MaxRuns;
            if (isFree)
            {
                _runs++;
                return true;
            }

            if (!_line.TryAdd(member, displaced)) return false;
            if (!_isTimed) SetTimer(_settings.MaxWait);
        }

        foreach (var other in displaced) other.TrySetException(Full());
        return true;
    }

    private SharedRun RunAtOnce(Workspace workspace)
    {
        try
        {
            var startedAt = _time.GetTimestamp();
            _model.Backend.Run(workspace.Inputs, workspace.Outputs);
            return Ended(startedAt, workspace.Rows);
        }
        finally
        {
            GoOn();
        }
    }

    // A run is free again: the line has it, on another thread, or nobody.
    private void GoOn()
    {
        lock (_lock)
        {
            if (_line.IsEmpty)
            {
                _runs--;
                return;
            }
        }

        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    void IThreadPoolWorkItem.Execute()
    {
        List<BatchMember> members = [], late = [];
        lock (_lock)
        {
            var now = _time.GetTimestamp();
            _line.TakeRun(_pace.MaxRows, rows => now + TicksOf(_pace.Expect(rows)), members, late);
        }

        foreach (var member in late) member.TrySetException(TooLate());
        try
        {
            if (members.Count == 1) RunAlone(members[0]);
            else if (members.Count > 1) RunTogether(members);
        }
        finally
        {
            GoOn();
        }
    }

    private void RunTogether(List<BatchMember> members)
    {
        var rows = members.Sum(m => m.Rows);
        try
        {
            using var whole = _model.RentWorkspace(_time.GetTimestamp());
            Workspace[] parts = [.. members.Select(m => m.Workspace)];
            SharedRows.Join(parts, rows, whole);
            var startedAt = _time.GetTimestamp();
            _model.Backend.Run(whole.Inputs, whole.Outputs);
            var run = Ended(startedAt, rows);
            if (SharedRows.TryPart(whole, rows, parts))
            {
                foreach (var member in members) member.TrySetResult(run);
                return;
            }
        }
        catch (Exception)
        {
            // One of them may be to blame; the others must not suffer for it, and its own run says what is wrong.
        }

        foreach (var member in members) RunAlone(member);
    }

    private void RunAlone(BatchMember member)
    {
        try
        {
            var startedAt = _time.GetTimestamp();
            _model.Backend.Run(member.Workspace.Inputs, member.Workspace.Outputs);
            member.TrySetResult(Ended(startedAt, member.Rows));
        }
        catch (Exception e)
        {
            member.TrySetException(e);
        }
    }

    private SharedRun Ended(long startedAt, int rows)
    {
        var run = new SharedRun(startedAt, _time.GetTimestamp(), rows);
        var took = _time.GetElapsedTime(startedAt, run.EndedAt);
        lock (_lock) _pace.Observe(rows, took);
        _model.Counts.AddSharedRun(rows, took);
        return run;
    }

    // Of one that is in a run already the workspace is in use: it gets its answer.
    private void GiveUp(BatchMember member, CancellationToken ct)
    {
        lock (_lock)
        {
            if (!_line.TryRemove(member)) return;
        }

        member.TrySetCanceled(ct);
    }

    private void Expire()
    {
        List<BatchMember> expired = [];
        lock (_lock)
        {
            var now = _time.GetTimestamp();
            _line.TakeOlder(now - TicksOf(_settings.MaxWait), expired);
            _isTimed = false;
            if (_line.OldestArrival is { } oldest) SetTimer(_settings.MaxWait - _time.GetElapsedTime(oldest, now));
        }

        foreach (var member in expired) member.TrySetException(WaitedTooLong());
    }

    private void SetTimer(TimeSpan due)
    {
        _isTimed = true;
        // A timer comes a little early at times; a millisecond later there is something to do.
        _timer.Change(due + TimeSpan.FromMilliseconds(1), Timeout.InfiniteTimeSpan);
    }

    private long TicksOf(TimeSpan time) => (long)(time.TotalSeconds * _time.TimestampFrequency);

    private RpcException Full() => Overload.Because(
        $"{_settings.MaxWaitingRows} rows stand in line for model '{_model.Model}' version {_model.Version}; try again later.");

    private RpcException WaitedTooLong() => Overload.Because(
        $"The request stood {_settings.MaxWait.TotalMilliseconds:0} ms in line for model '{_model.Model}' version {_model.Version}; try again later.");

    private static RpcException TooLate() => new(
        new Status(StatusCode.DeadlineExceeded, "The model would not be done before the deadline."),
        new Metadata { { "mlops-code", "DEADLINE_EXCEEDED" } });

    public void Dispose() => _timer.Dispose();
}
