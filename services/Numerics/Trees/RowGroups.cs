namespace MlOps.Numerics.Trees;

/// <summary>
/// How rows are laid out for the evaluator: groups of <see cref="Rows"/> rows, column after column. A column is a
/// feature under one rule for NaN, so that "value &lt; threshold" alone decides every split. The last column is NaN
/// throughout: leaves ask it to stay where they are.
/// </summary>
internal sealed class RowGroups
{
    /// <summary>Rows of a group: two registers of AVX-512.</summary>
    public const int Rows = 32;

    private readonly List<(int Feature, Missing Missing)> _columns = [];

    private enum Missing
    {
        /// <summary>NaN as it is: below no threshold, hence right.</summary>
        Right,

        /// <summary>NaN as −∞: below every threshold but −∞, hence left.</summary>
        Left,

        /// <summary>NaN as −∞, all else as +∞, for a split at −∞ or NaN that sends only NaN left.</summary>
        Only,
    }

    /// <summary>Floats a group takes.</summary>
    public int Size => (_columns.Count + 1) * Rows;

    /// <summary>Offset of the column of NaN within a group; final once all splits are placed.</summary>
    public int NaNOffset => _columns.Count * Rows;

    /// <summary>The column a split asks, as an offset within a group, and the threshold to ask it with.</summary>
    public (int Offset, float Threshold) Place(int feature, float threshold, bool defaultLeft)
    {
        var missing = !defaultLeft ? Missing.Right
            : threshold > float.NegativeInfinity ? Missing.Left
            : Missing.Only;
        var column = _columns.IndexOf((feature, missing));
        if (column < 0)
        {
            column = _columns.Count;
            _columns.Add((feature, missing));
        }

        return (column * Rows, missing == Missing.Only ? 0 : threshold);
    }

    /// <summary>Fills a group from at most <see cref="Rows"/> rows; lanes beyond them stay as they are.</summary>
    public unsafe void Fill(float* group, ReadOnlySpan<float> design, int rows, int features)
    {
        fixed (float* cells = design)
        {
            for (var column = 0; column < _columns.Count; column++, group += Rows)
            {
                var (feature, missing) = _columns[column];
                var cell = cells + feature;
                for (var row = 0; row < rows; row++, cell += features)
                    group[row] = missing switch
                    {
                        Missing.Right => *cell,
                        Missing.Left => float.IsNaN(*cell) ? float.NegativeInfinity : *cell,
                        _ => float.IsNaN(*cell) ? float.NegativeInfinity : float.PositiveInfinity,
                    };
            }
        }

        new Span<float>(group, Rows).Fill(float.NaN);
    }
}
