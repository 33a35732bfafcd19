namespace MlOps.Numerics.Statistics;

/// <summary>
/// Neumaier's compensated sum (1974): the error is 2ε of the result plus O(nε²) of the terms, ε = 2⁻⁵³.
/// </summary>
internal struct CompensatedSum
{
    private double _sum;
    private double _lost;

    public readonly double Value => _sum + _lost;

    public void Add(double term)
    {
        var next = _sum + term;
        _lost += Math.Abs(_sum) >= Math.Abs(term) ? _sum - next + term : term - next + _sum;
        _sum = next;
    }
}
