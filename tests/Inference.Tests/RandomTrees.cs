using MlOps.Numerics.Onnx;
using MlOps.Numerics.Trees;

namespace MlOps.Inference.Tests;

/// <summary>Tree ensembles grown by chance, the same for the same seed.</summary>
internal static class RandomTrees
{
    public static TreeEnsemble Ensemble(int seed, int trees, int depth, int features)
    {
        var random = new Random(seed);
        return new TreeEnsemble([.. Enumerable.Range(0, trees).Select(_ => Grow(random, depth, features))], 3.25f, features);
    }

    /// <summary>A TreeEnsembleRegressor of thirty trees over that many features.</summary>
    public static GraphBuilder Trees(this GraphBuilder graph, string input, string output, int features)
    {
        var ensemble = Ensemble(features, trees: 30, depth: 5, features);
        var leaves = Nodes(ensemble).Where(at => at.Tree.Left[at.Node] < 0).ToArray();
        return graph.Node("TreeEnsembleRegressor", [input], output, GraphBuilder.MachineLearning, NodesOf(ensemble)
            .Integers("target_treeids", leaves.Select(at => (long)at.Id))
            .Integers("target_nodeids", leaves.Select(at => (long)at.Node))
            .Integers("target_ids", leaves.Select(_ => 0L))
            .Singles("target_weights", leaves.Select(at => at.Tree.LeafValue[at.Node]))
            .Singles("base_values", [ensemble.BaseScore])
            .Integer("n_targets", 1));
    }

    /// <summary>A TreeEnsembleRegressor of several targets; every leaf has a weight for each.</summary>
    public static GraphBuilder Targets(this GraphBuilder graph, string input, string output, int features, int targets)
    {
        var ensemble = Ensemble(features + 100, trees: 20, depth: 5, features);
        var leaves = Nodes(ensemble).Where(at => at.Tree.Left[at.Node] < 0)
            .SelectMany(at => Enumerable.Range(0, targets).Select(target => (at.Id, at.Node, Target: target, Weight: at.Tree.LeafValue[at.Node] * (target + 1)))).ToArray();
        return graph.Node("TreeEnsembleRegressor", [input], output, GraphBuilder.MachineLearning, NodesOf(ensemble)
            .Integers("target_treeids", leaves.Select(at => (long)at.Id))
            .Integers("target_nodeids", leaves.Select(at => (long)at.Node))
            .Integers("target_ids", leaves.Select(at => (long)at.Target))
            .Singles("target_weights", leaves.Select(at => at.Weight))
            .Integer("n_targets", targets));
    }

    /// <summary>A TreeEnsembleClassifier, each of its trees for one class; of two classes one sum decides.</summary>
    public static GraphBuilder Classes(
        this GraphBuilder graph, string input, string label, string scores, int features, int classes, string transform, bool isText)
    {
        var ensemble = Ensemble(features + 200, trees: 24, depth: 4, features);
        var leaves = Nodes(ensemble).Where(at => at.Tree.Left[at.Node] < 0).ToArray();
        var attributes = NodesOf(ensemble)
            .Integers("class_treeids", leaves.Select(at => (long)at.Id))
            .Integers("class_nodeids", leaves.Select(at => (long)at.Node))
            .Integers("class_ids", leaves.Select(at => classes == 2 ? 0L : at.Id % classes))
            .Singles("class_weights", leaves.Select(at => at.Tree.LeafValue[at.Node]))
            .Text("post_transform", transform);
        if (isText) attributes.Texts("classlabels_strings", Enumerable.Range(0, classes).Select(i => $"klässe {i}"));
        else attributes.Integers("classlabels_int64s", Enumerable.Range(0, classes).Select(i => 7L * i));
        return graph.Node("TreeEnsembleClassifier", [input], [label, scores], GraphBuilder.MachineLearning, attributes);
    }

    /// <summary>The attributes regressor and classifier share.</summary>
    public static OnnxAttributes NodesOf(TreeEnsemble ensemble)
    {
        var nodes = Nodes(ensemble).ToArray();
        return new OnnxAttributes()
            .Integers("nodes_treeids", nodes.Select(at => (long)at.Id))
            .Integers("nodes_nodeids", nodes.Select(at => (long)at.Node))
            .Integers("nodes_featureids", nodes.Select(at => (long)at.Tree.Feature[at.Node]))
            .Texts("nodes_modes", nodes.Select(at => at.Tree.Left[at.Node] < 0 ? "LEAF" : "BRANCH_LT"))
            .Singles("nodes_values", nodes.Select(at => at.Tree.Threshold[at.Node]))
            .Integers("nodes_truenodeids", nodes.Select(at => (long)Math.Max(0, at.Tree.Left[at.Node])))
            .Integers("nodes_falsenodeids", nodes.Select(at => (long)Math.Max(0, at.Tree.Right[at.Node])))
            .Integers("nodes_missing_value_tracks_true", nodes.Select(at => at.Tree.DefaultLeft[at.Node] ? 1L : 0));
    }

    public static IEnumerable<(int Id, Tree Tree, int Node)> Nodes(TreeEnsemble ensemble) =>
        ensemble.Trees.SelectMany((tree, id) => Enumerable.Range(0, tree.Size).Select(node => (id, tree, node)));

    private static Tree Grow(Random random, int depth, int features)
    {
        List<(int Feature, float Threshold, int Left, bool DefaultLeft, float Leaf, float Cover)> nodes = [];
        List<(int Depth, float Cover)> open = [(0, 1000)];
        for (var i = 0; i < open.Count; i++)
        {
            var (at, cover) = open[i];
            if (at == depth || (at > 0 && random.Next(8) == 0))
            {
                nodes.Add((0, 0, -1, false, (float)(random.NextDouble() - 0.5), cover));
                continue;
            }

            var share = (float)(0.1 + (0.8 * random.NextDouble()));
            nodes.Add((random.Next(features), (float)((4 * random.NextDouble()) - 2), open.Count, random.Next(2) == 0, 0, cover));
            open.AddRange([(at + 1, cover * share), (at + 1, cover * (1 - share))]);
        }

        return new Tree(
            [.. nodes.Select(n => n.Feature)], [.. nodes.Select(n => n.Threshold)], [.. nodes.Select(n => n.Left)],
            [.. nodes.Select(n => n.Left < 0 ? -1 : n.Left + 1)], [.. nodes.Select(n => n.DefaultLeft)],
            [.. nodes.Select(n => n.Leaf)], [.. nodes.Select(n => n.Cover)], new float[nodes.Count]);
    }
}
