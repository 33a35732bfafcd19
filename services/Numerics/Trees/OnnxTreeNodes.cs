using MlOps.Numerics.Onnx;

namespace MlOps.Numerics.Trees;

/// <summary>
/// The trees of a TreeEnsembleRegressor or TreeEnsembleClassifier as its attributes list them: nodes in any order, each
/// leaf with the weights it adds to one or more targets.
/// </summary>
internal sealed class OnnxTreeNodes
{
    private readonly List<long> _trees;
    private readonly List<long> _nodes;
    private readonly List<long> _asked;
    private readonly List<float> _values;
    private readonly List<long> _yes;
    private readonly List<long> _no;
    private readonly List<long> _tracksTrue;
    private readonly List<float> _hitRates;
    private readonly IReadOnlyList<string> _modes;
    private readonly Dictionary<(long Tree, long Node), int> _places = [];
    private readonly Dictionary<(long Tree, long Node, long Target), float> _weights = [];

    /// <param name="node">The operation.</param>
    /// <param name="prefix">Of the attributes of the leaves: <c>target_</c> or <c>class_</c>.</param>
    /// <exception cref="InvalidDataException">The attributes do not describe trees.</exception>
    /// <exception cref="NotSupportedException">A leaf gives a target several weights.</exception>
    public OnnxTreeNodes(OnnxNode node, string prefix)
    {
        _modes = node.Texts("nodes_modes");
        var count = _modes.Count;
        _trees = Get(node.Integers, "nodes_treeids", count);
        _nodes = Get(node.Integers, "nodes_nodeids", count);
        _asked = Get(node.Integers, "nodes_featureids", count);
        _values = Get(node.Singles, "nodes_values", count);
        _yes = Get(node.Integers, "nodes_truenodeids", count);
        _no = Get(node.Integers, "nodes_falsenodeids", count);
        _tracksTrue = GetOptional(node.Integers, "nodes_missing_value_tracks_true", count);
        _hitRates = GetOptional(node.Singles, "nodes_hitrates", count);
        for (var i = 0; i < count; i++)
            if (!_places.TryAdd((_trees[i], _nodes[i]), i))
                throw new InvalidDataException($"Node {_nodes[i]} of tree {_trees[i]} comes twice.");

        Weights = [.. node.Singles(prefix + "weights")];
        Targets = Get(node.Integers, prefix + "ids", Weights.Count);
        var leafTrees = Get(node.Integers, prefix + "treeids", Weights.Count);
        var leafNodes = Get(node.Integers, prefix + "nodeids", Weights.Count);
        for (var i = 0; i < Weights.Count; i++)
            if (!_weights.TryAdd((leafTrees[i], leafNodes[i], Targets[i]), Weights[i]))
                throw new NotSupportedException($"Attribute '{prefix}nodeids' gives a leaf several weights.");
    }

    /// <summary>Of the leaves, in the order they are listed.</summary>
    public IReadOnlyList<float> Weights { get; }

    /// <summary>Parallel to <see cref="Weights"/>.</summary>
    public IReadOnlyList<long> Targets { get; }

    public int TreeCount => _trees.Distinct().Count();

    /// <summary>The trees that add to a target, in order.</summary>
    /// <param name="target">Number of the target or class.</param>
    /// <param name="features">Columns of the node's input; null: up to the last one a split of any target asks.</param>
    /// <param name="isCertain">Whether every row reaches a leaf with a weight for it.</param>
    /// <exception cref="InvalidDataException">The nodes do not form trees.</exception>
    /// <exception cref="NotSupportedException">A split asks something else than less, or less or equal.</exception>
    public TreeEnsemble EnsembleOf(long target, int? features, out bool isCertain)
    {
        var inner = Enumerable.Range(0, _modes.Count).Where(i => !IsLeaf(i)).ToArray();
        var width = features
            ?? (inner.Length == 0 ? 0 : (int)Math.Min(inner.Max(i => _asked[i]) + 1, int.MaxValue));
        if (inner.Any(i => _asked[i] < 0 || _asked[i] >= width))
            throw new InvalidDataException("A split asks for a feature the model does not have.");
        var isChild = inner.SelectMany(i => new[] { Child(i, _yes), Child(i, _no) }).ToHashSet();

        List<Tree> trees = [];
        isCertain = false;
        foreach (var nodes in Enumerable.Range(0, _modes.Count).GroupBy(i => _trees[i]))
        {
            var weighted = nodes.Count(i => IsLeaf(i) && _weights.ContainsKey((_trees[i], _nodes[i], target)));
            isCertain |= weighted == nodes.Count(IsLeaf);
            var tree = ReadTree(nodes.Key, [.. nodes], isChild, target);
            if (weighted > 0)
                trees.Add(tree);
        }

        return new TreeEnsemble(trees, 0, width);
    }

    private Tree ReadTree(long id, int[] nodes, HashSet<int> isChild, long target)
    {
        if (nodes.Where(i => !isChild.Contains(i)).ToArray() is not [var root])
            throw new InvalidDataException($"Tree {id} has not one root.");
        List<int> order = [root];
        var place = new Dictionary<int, int> { [root] = 0 };
        for (var i = 0; i < order.Count; i++)
        {
            if (IsLeaf(order[i]))
                continue;
            foreach (var child in new[] { Child(order[i], _yes), Child(order[i], _no) })
            {
                if (!place.TryAdd(child, order.Count))
                    throw new InvalidDataException($"The nodes of tree {id} do not form a tree.");
                order.Add(child);
            }
        }

        // A cycle the root does not lead to.
        if (order.Count != nodes.Length)
            throw new InvalidDataException($"The nodes of tree {id} do not form a tree.");
        return new Tree(
            [.. order.Select(i => IsLeaf(i) ? 0 : (int)_asked[i])],
            [.. order.Select(i => IsLeaf(i) ? 0 : Threshold(_modes[i], _values[i]))],
            [.. order.Select(i => IsLeaf(i) ? -1 : place[Child(i, _yes)])],
            [.. order.Select(i => IsLeaf(i) ? -1 : place[Child(i, _no)])],
            [.. order.Select(i => !IsLeaf(i) && _tracksTrue[i] != 0)],
            [.. order.Select(i => IsLeaf(i) ? _weights.GetValueOrDefault((id, _nodes[i], target)) : 0)],
            [.. order.Select(i => _hitRates[i])],
            new float[order.Count]);
    }

    private bool IsLeaf(int i) => _modes[i] == "LEAF";

    private int Child(int i, List<long> children) => _places.TryGetValue((_trees[i], children[i]), out var child)
        ? child
        : throw new InvalidDataException($"Node {_nodes[i]} of tree {_trees[i]} has no such child.");

    /// <summary>x ≤ t is x &lt; the next float above t, for every x but +∞ at t = +∞.</summary>
    private static float Threshold(string mode, float value) => mode switch
    {
        "BRANCH_LT" => value,
        "BRANCH_LEQ" when !float.IsPositiveInfinity(value) => MathF.BitIncrement(value),
        _ => throw new NotSupportedException($"Attribute 'nodes_modes' asks for {mode} at {value}."),
    };

    private static List<T> Get<T>(Func<string, IReadOnlyList<T>> read, string name, int count) =>
        read(name) is var values && values.Count == count
            ? [.. values]
            : throw new InvalidDataException($"Attribute '{name}' has not {count} places.");

    private static List<T> GetOptional<T>(Func<string, IReadOnlyList<T>> read, string name, int count)
        where T : struct => read(name).Count == 0 ? [.. new T[count]] : Get(read, name, count);
}
