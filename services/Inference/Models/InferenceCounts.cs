using MlOps.Inference.Predictions;

namespace MlOps.Inference.Models;

/// <summary>How often something happened and how long it took in all.</summary>
internal readonly record struct CountedTime(long Count, TimeSpan Time)
{
    public CountedTime Plus(TimeSpan time) => new(Count + 1, Time + time);
}

/// <summary>What a version did since it was loaded.</summary>
internal sealed record InferenceTotals
{
    /// <summary>Null: none yet.</summary>
    public DateTimeOffset? LastInference { get; init; }

    /// <summary>Rows answered.</summary>
    public long Rows { get; init; }

    /// <summary>Runs of the model; several answers may come of one.</summary>
    public long Runs { get; init; }

    public CountedTime Success { get; init; }

    public CountedTime Failure { get; init; }

    public CountedTime Wait { get; init; }

    public CountedTime Preparation { get; init; }

    public CountedTime Computation { get; init; }

    public CountedTime Output { get; init; }

    /// <summary>Answers that were kept, and the time to find them.</summary>
    public CountedTime CacheHit { get; init; }

    /// <summary>Requests for which none was kept, and the time to find that out.</summary>
    public CountedTime CacheMiss { get; init; }

    /// <summary>Runs that requests may share, by rows, ascending; none where they share none.</summary>
    public IReadOnlyList<KeyValuePair<int, CountedTime>> SharedRuns { get; init; } = [];
}

/// <summary>Counts a version's answers and failures.</summary>
internal sealed class InferenceCounts
{
    private readonly Lock _lock = new();
    private readonly SortedDictionary<int, CountedTime> _sharedRuns = [];
    private DateTimeOffset? _lastInference;
    private long _rows;
    private long _runs;
    private CountedTime _success;
    private CountedTime _failure;
    private CountedTime _wait;
    private CountedTime _preparation;
    private CountedTime _computation;
    private CountedTime _output;
    private CountedTime _cacheHit;
    private CountedTime _cacheMiss;

    public InferenceTotals Read()
    {
        lock (_lock)
        {
            return new InferenceTotals
            {
                LastInference = _lastInference,
                Rows = _rows,
                Runs = _runs,
                Success = _success,
                Failure = _failure,
                Wait = _wait,
                Preparation = _preparation,
                Computation = _computation,
                Output = _output,
                CacheHit = _cacheHit,
                CacheMiss = _cacheMiss,
                SharedRuns = [.. _sharedRuns],
            };
        }
    }

    /// <param name="answer">The answer.</param>
    /// <param name="now">When it was written.</param>
    /// <param name="whole">Time since the request came.</param>
    /// <param name="output">Time to write it.</param>
    public void AddAnswer(Prediction answer, DateTimeOffset now, TimeSpan whole, TimeSpan output)
    {
        lock (_lock)
        {
            _lastInference = now;
            _rows += answer.Rows;
            _success = _success.Plus(whole);
            if (answer.Source == AnswerSource.Cache) return;
            if (answer.Source == AnswerSource.OwnRun) _runs++;
            _wait = _wait.Plus(answer.Wait);
            _preparation = _preparation.Plus(answer.Preparation);
            _computation = _computation.Plus(answer.Computation);
            _output = _output.Plus(output);
        }
    }

    /// <summary>An answer was looked for among those kept.</summary>
    public void AddRecall(bool isKept, TimeSpan took)
    {
        lock (_lock)
        {
            if (isKept) _cacheHit = _cacheHit.Plus(took);
            else _cacheMiss = _cacheMiss.Plus(took);
        }
    }

    /// <summary>A run that requests may share.</summary>
    public void AddSharedRun(int rows, TimeSpan took)
    {
        lock (_lock)
        {
            _runs++;
            _sharedRuns[rows] = _sharedRuns.GetValueOrDefault(rows).Plus(took);
        }
    }

    public void AddFailure(TimeSpan whole)
    {
        lock (_lock) _failure = _failure.Plus(whole);
    }
}
