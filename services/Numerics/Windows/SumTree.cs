namespace MlOps.Numerics.Windows;

/// <summary>
/// A sum whose terms can be replaced: always the pairwise sum of the present terms, whatever was there before.
/// </summary>
internal sealed class SumTree
{
    private readonly int _leaves;
    private readonly double[] _nodes;

    public SumTree(int count)
    {
        _leaves = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(count, 1));
        _nodes = new double[2 * _leaves];
    }

    public double Total => _nodes[1];

    public void Set(int index, double term)
    {
        var node = _leaves + index;
        _nodes[node] = term;
        for (node /= 2; node >= 1; node /= 2)
            _nodes[node] = _nodes[2 * node] + _nodes[2 * node + 1];
    }
}
