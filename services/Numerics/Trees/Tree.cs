namespace MlOps.Numerics.Trees;

/// <summary>
/// One regression tree as parallel arrays, a place per node, the root at 0 and children behind their parents.
/// A node is a leaf when its <c>Left</c> is −1.
/// </summary>
/// <param name="Feature">Index of the feature asked; 0 in a leaf.</param>
/// <param name="Threshold">A value below it goes left, any other right; 0 in a leaf.</param>
/// <param name="Left">Node for the lesser values, or −1.</param>
/// <param name="Right">Node for the others, or −1.</param>
/// <param name="DefaultLeft">Where NaN goes.</param>
/// <param name="LeafValue">What a leaf adds to the prediction; 0 in an inner node.</param>
/// <param name="Cover">Sum of the hessian of the training rows that passed (their number, for squared error).</param>
/// <param name="Gain">Loss saved by the split; 0 in a leaf.</param>
public sealed record Tree(
    int[] Feature, float[] Threshold, int[] Left, int[] Right, bool[] DefaultLeft,
    float[] LeafValue, float[] Cover, float[] Gain)
{
    /// <summary>Number of nodes.</summary>
    public int Size => Left.Length;

    /// <summary>A tree that says the same to every row.</summary>
    public static Tree Constant(float value) => new([0], [0], [-1], [-1], [false], [value], [0], [0]);

    /// <summary>The value of the leaf the row falls into.</summary>
    public float Evaluate(ReadOnlySpan<float> row)
    {
        var node = 0;
        while (Left[node] >= 0)
        {
            var value = row[Feature[node]];
            var goesLeft = float.IsNaN(value) ? DefaultLeft[node] : value < Threshold[node];
            node = goesLeft ? Left[node] : Right[node];
        }

        return LeafValue[node];
    }
}
