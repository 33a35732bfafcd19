namespace MlOps.Numerics.Statistics;

/// <summary>
/// Walks two distributions together: at each distinct value, how many of either are at most that value.
/// </summary>
internal ref struct CumulativePairs(EmpiricalDistribution a, EmpiricalDistribution b)
{
    private int _i;
    private int _j;
    private long _countA;
    private long _countB;

    public readonly (long A, long B) Current => (_countA, _countB);

    /// <summary>The value at which <see cref="Current"/> is counted.</summary>
    public double Value { get; private set; }

    public readonly CumulativePairs GetEnumerator() => this;

    public bool MoveNext()
    {
        if (_i == a.Values.Length && _j == b.Values.Length)
            return false;

        Value = Math.Min(
            _i < a.Values.Length ? a.Values[_i] : double.PositiveInfinity,
            _j < b.Values.Length ? b.Values[_j] : double.PositiveInfinity);
        if (_i < a.Values.Length && a.Values[_i] == Value)
            _countA += a.Counts[_i++];
        if (_j < b.Values.Length && b.Values[_j] == Value)
            _countB += b.Counts[_j++];
        return true;
    }
}
