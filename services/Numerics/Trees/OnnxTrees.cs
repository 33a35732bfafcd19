using MlOps.Numerics.Onnx;

namespace MlOps.Numerics.Trees;

/// <summary>
/// The TreeEnsembleRegressor or TreeEnsembleClassifier of an ONNX graph as ensembles that can be evaluated without ONNX
/// Runtime.
/// </summary>
/// <param name="Input">Name of the tensor the node takes: N × features, float32.</param>
/// <param name="Output">Name of the tensor of its scores: N × columns.</param>
/// <param name="Targets">One per target or class that leaves have weights for; their base score is 0.</param>
public sealed record OnnxTrees(string Input, string Output, IReadOnlyList<TreeEnsemble> Targets)
{
    private const string Regressor = "TreeEnsembleRegressor";
    private const string Classifier = "TreeEnsembleClassifier";

    // Each has a default that changes nothing, or says nothing of the prediction.
    private static readonly HashSet<string> Known =
    [
        "nodes_treeids", "nodes_nodeids", "nodes_featureids", "nodes_modes", "nodes_values", "nodes_truenodeids",
        "nodes_falsenodeids", "nodes_missing_value_tracks_true", "nodes_hitrates", "base_values", "post_transform",
        "target_treeids", "target_nodeids", "target_ids", "target_weights", "n_targets", "aggregate_function",
        "class_treeids", "class_nodeids", "class_ids", "class_weights", "classlabels_int64s", "classlabels_strings",
    ];

    /// <summary>Added to each target's sum last, as ONNX Runtime does; empty: nothing.</summary>
    public IReadOnlyList<float> BaseValues { get; init; } = [];

    /// <summary>What each sum is divided by before the base value is added; 1 but for AVERAGE.</summary>
    public int Divisor { get; init; } = 1;

    /// <summary>What is done with the scores of a row after that.</summary>
    public TreeTransform Transform { get; init; }

    /// <summary>Name of the tensor of its labels, N; empty for a regressor.</summary>
    public string LabelOutput { get; init; } = "";

    /// <summary>Labels that are numbers; empty unless the node says so.</summary>
    public IReadOnlyList<long> NumberLabels { get; init; } = [];

    /// <summary>Labels that are texts; empty unless the node says so.</summary>
    public IReadOnlyList<string> TextLabels { get; init; } = [];

    /// <summary>
    /// Whether the two classes of a classifier share one sum: the second class is answered where it is above
    /// <see cref="Limit"/>, and both columns follow from it.
    /// </summary>
    public bool IsMargin { get; init; }

    /// <summary>½ where no leaf is below 0, which makes the sum a probability; else 0.</summary>
    public float Limit { get; init; }

    /// <summary>Columns of the scores.</summary>
    public int Columns => IsMargin ? 2 : Targets.Count;

    /// <summary>Reads the graph's one tree node.</summary>
    /// <param name="graph">The model's graph.</param>
    /// <param name="features">Columns of the node's input; null: up to the last one a split asks.</param>
    /// <returns>Null when the graph has no such node.</returns>
    /// <exception cref="NotSupportedException">Something ensembles cannot say; names the attribute.</exception>
    /// <exception cref="InvalidDataException">The node is broken.</exception>
    public static OnnxTrees? Read(OnnxGraph graph, int? features = null)
    {
        var nodes = graph.Nodes
            .Where(node => node.IsMachineLearning(Regressor) || node.IsMachineLearning(Classifier)).ToArray();
        if (nodes.Length > 1)
            throw new NotSupportedException("More than one node of trees.");
        if (nodes is not [var node])
            return null;
        if (node.Inputs is not [var input])
            throw new InvalidDataException($"A {node.Operation} has one input.");
        if (node.Attributes.FirstOrDefault(name => !Known.Contains(name)) is { } unknown)
            throw Refused(node, unknown);
        var transform = (node.Text("post_transform") ?? "NONE") switch
        {
            "NONE" => TreeTransform.None,
            "LOGISTIC" => TreeTransform.Logistic,
            "SOFTMAX" => TreeTransform.Softmax,
            _ => throw Refused(node, "post_transform"),
        };
        return node.Operation == Regressor
            ? ReadRegressor(node, input, transform, features)
            : ReadClassifier(node, input, transform, features);
    }

    private static OnnxTrees ReadRegressor(OnnxNode node, string input, TreeTransform transform, int? features)
    {
        if (node.Outputs is not [{ Length: > 0 } output])
            throw new InvalidDataException($"A {Regressor} has one output.");
        var targets = node.Integer("n_targets") ?? 1;
        if (targets is < 1 or > 1_000)
            throw Refused(node, "n_targets");
        var trees = new OnnxTreeNodes(node, "target_");
        if (trees.Targets.Any(target => target < 0 || target >= targets))
            throw Refused(node, "target_ids");
        var isAverage = (node.Text("aggregate_function") ?? "SUM") switch
        {
            "SUM" => false,
            "AVERAGE" => true,
            _ => throw Refused(node, "aggregate_function"),
        };
        var bases = node.Singles("base_values");
        if (bases.Count != 0 && bases.Count != targets)
            throw Refused(node, "base_values");
        return new OnnxTrees(input, output, EnsemblesOf(trees, targets, features, mustBeCertain: false))
        {
            BaseValues = bases,
            Divisor = isAverage ? Math.Max(1, trees.TreeCount) : 1,
            // ONNX Runtime leaves a single target as it is.
            Transform = targets == 1 ? TreeTransform.None : transform,
        };
    }

    private static OnnxTrees ReadClassifier(OnnxNode node, string input, TreeTransform transform, int? features)
    {
        if (node.Outputs is not [var labels, { Length: > 0 } output])
            throw new InvalidDataException($"A {Classifier} has two outputs.");
        var (numbers, texts) = (node.Integers("classlabels_int64s"), node.Texts("classlabels_strings"));
        var classes = texts.Count > 0 ? texts.Count : numbers.Count;
        if (classes < 2 || (numbers.Count > 0 && texts.Count > 0))
            throw Refused(node, numbers.Count > 0 ? "classlabels_int64s" : "classlabels_strings");
        var trees = new OnnxTreeNodes(node, "class_");
        if (trees.Targets.Any(target => target < 0 || target >= classes))
            throw Refused(node, "class_ids");
        var weighted = trees.Targets.Distinct().ToArray();
        var bases = node.Singles("base_values");
        var isMargin = classes == 2 && weighted is [0] && bases.Count <= 1;
        // Where two classes have sums of their own ONNX Runtime answers 0 or 1 by the sign of the second, whatever
        // the labels are called.
        if (!isMargin && (weighted.Length < classes || classes == 2))
            throw Refused(node, "class_ids");
        if (!isMargin && bases.Count != 0 && bases.Count != classes)
            throw Refused(node, "base_values");
        return new OnnxTrees(
            input, output, EnsemblesOf(trees, isMargin ? 1 : classes, features, mustBeCertain: true))
        {
            BaseValues = bases,
            Transform = transform,
            LabelOutput = labels,
            NumberLabels = numbers,
            TextLabels = texts,
            IsMargin = isMargin,
            Limit = isMargin && trees.Weights.All(weight => weight >= 0) ? 0.5f : 0,
        };
    }

    private static TreeEnsemble[] EnsemblesOf(OnnxTreeNodes trees, long targets, int? features, bool mustBeCertain)
    {
        var ensembles = new TreeEnsemble[targets];
        for (var target = 0; target < targets; target++)
        {
            ensembles[target] = trees.EnsembleOf(target, features, out var isCertain);
            if (mustBeCertain && !isCertain)
                throw new NotSupportedException($"Attribute 'class_weights' leaves rows without a score of class {target}.");
        }

        return ensembles;
    }

    private static NotSupportedException Refused(OnnxNode node, string attribute) =>
        new($"Attribute '{attribute}' of {node.Operation} asks for what the evaluator does not know.");
}
