namespace MlOps.Numerics.Trees;

/// <summary>
/// The TreeEnsembleRegressor of an ONNX model as an ensemble that can be evaluated without ONNX Runtime.
/// </summary>
/// <param name="Input">Name of the tensor the node takes: N × features.</param>
/// <param name="Output">Name of the tensor it gives: N × 1.</param>
/// <param name="Ensemble">
/// Its trees. base_values come first in the sum; ONNX Runtime adds them last, which differs by a rounding.
/// </param>
public sealed record OnnxTrees(string Input, string Output, TreeEnsemble Ensemble)
{
    private const string Operation = "TreeEnsembleRegressor";

    // Each has a default that changes nothing, or says nothing of the prediction.
    private static readonly HashSet<string> Known =
    [
        "nodes_treeids", "nodes_nodeids", "nodes_featureids", "nodes_modes", "nodes_values", "nodes_truenodeids",
        "nodes_falsenodeids", "nodes_missing_value_tracks_true", "nodes_hitrates", "target_treeids", "target_nodeids",
        "target_ids", "target_weights", "n_targets", "aggregate_function", "post_transform", "base_values",
    ];

    /// <summary>Reads the model's one tree node.</summary>
    /// <param name="model">ModelProto.</param>
    /// <param name="features">Columns of the node's input; null: up to the last one a split asks.</param>
    /// <returns>Null when the graph has no such node.</returns>
    /// <exception cref="NotSupportedException">Something an ensemble cannot say; names the attribute.</exception>
    /// <exception cref="InvalidDataException">Not an ONNX model, or a broken one.</exception>
    public static OnnxTrees? Read(ReadOnlySpan<byte> model, int? features = null)
    {
        OnnxTrees? found = null;
        foreach (var graph in new OnnxMessage(model))
        {
            // ModelProto: graph 7; GraphProto: node 1; NodeProto: input 1, output 2, op_type 4, attribute 5
            if (graph.Number != 7)
                continue;
            foreach (var item in new OnnxMessage(graph.Bytes))
            {
                if (item.Number != 1)
                    continue;
                var node = new OnnxMessage(item.Bytes);
                if (node.Text(4) != Operation)
                    continue;
                if (found is not null)
                    throw new NotSupportedException($"More than one {Operation}.");
                if (node.Texts(1) is not [var input] || node.Texts(2) is not [var output])
                    throw new InvalidDataException($"A {Operation} has one input and one output.");
                found = new OnnxTrees(input, output, ReadEnsemble(node, features));
            }
        }

        return found;
    }

    private static TreeEnsemble ReadEnsemble(OnnxMessage node, int? features)
    {
        // AttributeProto: name 1, i 3, s 4, floats 7, ints 8, strings 9
        Dictionary<string, List<long>> integers = [];
        Dictionary<string, List<float>> singles = [];
        List<string> modes = [];
        foreach (var item in node)
        {
            if (item.Number != 5)
                continue;
            var attribute = new OnnxMessage(item.Bytes);
            var name = attribute.Text(1) ?? "";
            var single = attribute.Integers(3) is [.., var value] ? value : 0;
            var refused = name switch
            {
                "n_targets" => single != 1,
                "aggregate_function" => attribute.Text(4) != "SUM",
                "post_transform" => attribute.Text(4) != "NONE",
                _ => !Known.Contains(name),
            };
            if (refused)
                throw new NotSupportedException($"Attribute '{name}' of {Operation} asks for more than a sum of trees.");
            integers[name] = attribute.Integers(8);
            singles[name] = attribute.Singles(7);
            if (name == "nodes_modes")
                modes = attribute.Texts(9);
        }

        return Assemble(integers, singles, modes, features);
    }

    private static TreeEnsemble Assemble(
        Dictionary<string, List<long>> integers, Dictionary<string, List<float>> singles, List<string> modes,
        int? features)
    {
        var count = modes.Count;
        var trees = Get(integers, "nodes_treeids", count);
        var nodes = Get(integers, "nodes_nodeids", count);
        var asked = Get(integers, "nodes_featureids", count);
        var values = Get(singles, "nodes_values", count);
        var yes = Get(integers, "nodes_truenodeids", count);
        var no = Get(integers, "nodes_falsenodeids", count);
        var tracksTrue = GetOptional(integers, "nodes_missing_value_tracks_true", count);
        var hitRates = GetOptional(singles, "nodes_hitrates", count);
        var baseValue = singles.GetValueOrDefault("base_values") switch
        {
            null or [] => 0,
            [var value] => value,
            _ => throw new NotSupportedException("Attribute 'base_values' has more than one target."),
        };

        var weights = ReadWeights(integers, singles);
        var places = new Dictionary<(long Tree, long Node), int>();
        for (var i = 0; i < count; i++)
            if (!places.TryAdd((trees[i], nodes[i]), i))
                throw new InvalidDataException($"Node {nodes[i]} of tree {trees[i]} comes twice.");
        bool IsLeaf(int i) => modes[i] == "LEAF";
        int Child(int i, List<long> children) => places.TryGetValue((trees[i], children[i]), out var child)
            ? child
            : throw new InvalidDataException($"Node {nodes[i]} of tree {trees[i]} has no such child.");

        // As many columns as asked for, or up to the last one asked.
        var inner = Enumerable.Range(0, count).Where(i => !IsLeaf(i)).ToArray();
        var width = features ?? (inner.Length == 0 ? 0 : (int)Math.Min(inner.Max(i => asked[i]) + 1, int.MaxValue));
        if (inner.Any(i => asked[i] < 0 || asked[i] >= width))
            throw new InvalidDataException("A split asks for a feature the model does not have.");

        var isChild = inner.SelectMany(i => new[] { Child(i, yes), Child(i, no) }).ToHashSet();
        return new TreeEnsemble(
            [.. Enumerable.Range(0, count).GroupBy(i => trees[i]).Select(ReadTree)], baseValue, width);

        Tree ReadTree(IGrouping<long, int> tree)
        {
            if (tree.Where(i => !isChild.Contains(i)).ToArray() is not [var root])
                throw new InvalidDataException($"Tree {tree.Key} has not one root.");
            List<int> order = [root];
            var place = new Dictionary<int, int> { [root] = 0 };
            for (var i = 0; i < order.Count; i++)
            {
                if (IsLeaf(order[i]))
                    continue;
                foreach (var child in new[] { Child(order[i], yes), Child(order[i], no) })
                {
                    if (!place.TryAdd(child, order.Count))
                        throw new InvalidDataException($"The nodes of tree {tree.Key} do not form a tree.");
                    order.Add(child);
                }
            }

            // A cycle the root does not lead to.
            if (order.Count != tree.Count())
                throw new InvalidDataException($"The nodes of tree {tree.Key} do not form a tree.");
            return new Tree(
                [.. order.Select(i => IsLeaf(i) ? 0 : (int)asked[i])],
                [.. order.Select(i => IsLeaf(i) ? 0 : Threshold(modes[i], values[i]))],
                [.. order.Select(i => IsLeaf(i) ? -1 : place[Child(i, yes)])],
                [.. order.Select(i => IsLeaf(i) ? -1 : place[Child(i, no)])],
                [.. order.Select(i => !IsLeaf(i) && tracksTrue[i] != 0)],
                [.. order.Select(i => IsLeaf(i) ? weights.GetValueOrDefault((trees[i], nodes[i])) : 0)],
                [.. order.Select(i => hitRates[i])],
                new float[order.Count]);
        }
    }

    /// <summary>x ≤ t is x &lt; the next float above t, for every x but +∞ at t = +∞.</summary>
    private static float Threshold(string mode, float value) => mode switch
    {
        "BRANCH_LT" => value,
        "BRANCH_LEQ" when !float.IsPositiveInfinity(value) => MathF.BitIncrement(value),
        _ => throw new NotSupportedException($"Attribute 'nodes_modes' asks for {mode} at {value}."),
    };

    private static Dictionary<(long Tree, long Node), float> ReadWeights(
        Dictionary<string, List<long>> integers, Dictionary<string, List<float>> singles)
    {
        var weights = singles.GetValueOrDefault("target_weights") ?? [];
        var trees = Get(integers, "target_treeids", weights.Count);
        var nodes = Get(integers, "target_nodeids", weights.Count);
        if (Get(integers, "target_ids", weights.Count).Any(target => target != 0))
            throw new NotSupportedException("Attribute 'target_ids' has more than one target.");
        var leaves = new Dictionary<(long, long), float>();
        for (var i = 0; i < weights.Count; i++)
            if (!leaves.TryAdd((trees[i], nodes[i]), weights[i]))
                throw new NotSupportedException("Attribute 'target_nodeids' gives a leaf several weights.");
        return leaves;
    }

    private static List<T> Get<T>(Dictionary<string, List<T>> attributes, string name, int count) =>
        attributes.GetValueOrDefault(name) is var values && (values?.Count ?? 0) == count
            ? values ?? []
            : throw new InvalidDataException($"Attribute '{name}' has not {count} places.");

    private static List<T> GetOptional<T>(Dictionary<string, List<T>> attributes, string name, int count)
        where T : struct =>
        attributes.GetValueOrDefault(name) is null or [] ? [.. new T[count]] : Get(attributes, name, count);
}
