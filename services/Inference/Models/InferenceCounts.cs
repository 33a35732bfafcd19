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

    /// <summary>Rows answered; each answer is one run of the model.</summary>
    public long Rows { get; init; }

    public CountedTime Success { get; init; }

    public CountedTime Failure { get; init; }

    public CountedTime Preparation { get; init; }

    public CountedTime Computation { get; init; }

    public CountedTime Output { get; init; }
}

/// <summary>Counts a version's answers and failures.</summary>
internal sealed class InferenceCounts
{
    private readonly Lock _lock = new();
    private DateTimeOffset? _lastInference;
    private long _rows;
    private CountedTime _success;
    private CountedTime _failure;
    private CountedTime _preparation;
    private CountedTime _computation;
    private CountedTime _output;

    public InferenceTotals Read()
    {
        lock (_lock)
        {
            return new InferenceTotals
            {
                LastInference = _lastInference,
                Rows = _rows,
                Success = _success,
                Failure = _failure,
                Preparation = _preparation,
                Computation = _computation,
                Output = _output,
            };
        }
    }

    public void AddAnswer(
        DateTimeOffset now, int rows, TimeSpan whole, TimeSpan preparation, TimeSpan computation, TimeSpan output)
    {
        lock (_lock)
        {
            _lastInference = now;
            _rows += rows;
            _success = _success.Plus(whole);
            _preparation = _preparation.Plus(preparation);
            _computation = _computation.Plus(computation);
            _output = _output.Plus(output);
        }
    }

    public void AddFailure(TimeSpan whole)
    {
        lock (_lock) _failure = _failure.Plus(whole);
    }
}
