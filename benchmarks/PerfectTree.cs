using MlOps.Numerics.Trees;

namespace MlOps.Benchmarks;

/// <summary>Trees with every node there is, splits and leaves drawn evenly; children of node i at 2i + 1 and 2i + 2.</summary>
internal static class PerfectTree
{
    public static Tree Of(int depth, int features, Random random)
    {
        var splits = (1 << depth) - 1;
        T[] Nodes<T>(Func<T> split, Func<T> leaf) =>
            [.. Enumerable.Range(0, 2 * splits + 1).Select(i => i < splits ? split() : leaf())];
        return new Tree(
            Nodes(() => random.Next(features), () => 0),
            Nodes(random.NextSingle, () => 0),
            [.. Enumerable.Range(0, 2 * splits + 1).Select(i => i < splits ? 2 * i + 1 : -1)],
            [.. Enumerable.Range(0, 2 * splits + 1).Select(i => i < splits ? 2 * i + 2 : -1)],
            Nodes(() => random.Next(2) == 0, () => false),
            Nodes(() => 0f, () => random.NextSingle() - 0.5f),
            Nodes(() => 1f, () => 1f),
            Nodes(() => 0f, () => 0f));
    }
}
