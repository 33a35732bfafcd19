using MlOps.Numerics.Trees;

namespace MlOps.Numerics.Onnx;

/// <summary>
/// An ensemble as attributes of ai.onnx.ml TreeEnsembleRegressor. The base score is folded into the leaves of the first
/// tree (base + leaf in float32, the first addition XGBoost makes): with base_values ONNX Runtime would add it last.
/// nodes_hitrates is the cover, the sum of the hessian of the training rows that passed, which TreeSHAP needs.
/// </summary>
internal static class TreeAttributes
{
    public static OnnxAttributes Of(TreeEnsemble ensemble)
    {
        var trees = Folded(ensemble);
        var nodes = trees
            .SelectMany((tree, id) => Enumerable.Range(0, tree.Size).Select(node => (id, tree, node)))
            .ToArray();
        var leaves = nodes.Where(IsLeaf).ToArray();
        return new OnnxAttributes()
            .Integers("nodes_treeids", nodes.Select(at => (long)at.id))
            .Integers("nodes_nodeids", nodes.Select(at => (long)at.node))
            .Integers("nodes_featureids", nodes.Select(at => (long)at.tree.Feature[at.node]))
            .Texts("nodes_modes", nodes.Select(at => IsLeaf(at) ? "LEAF" : "BRANCH_LT"))
            .Singles("nodes_values", nodes.Select(at => at.tree.Threshold[at.node]))
            .Integers("nodes_truenodeids", nodes.Select(at => IsLeaf(at) ? 0L : at.tree.Left[at.node]))
            .Integers("nodes_falsenodeids", nodes.Select(at => IsLeaf(at) ? 0L : at.tree.Right[at.node]))
            .Singles("nodes_hitrates", nodes.Select(at => at.tree.Cover[at.node]))
            .Integers("nodes_missing_value_tracks_true", nodes.Select(at => at.tree.DefaultLeft[at.node] ? 1L : 0L))
            .Integers("target_treeids", leaves.Select(at => (long)at.id))
            .Integers("target_nodeids", leaves.Select(at => (long)at.node))
            .Integers("target_ids", leaves.Select(_ => 0L))
            .Singles("target_weights", leaves.Select(at => at.tree.LeafValue[at.node]))
            .Integer("n_targets", 1)
            .Text("aggregate_function", "SUM")
            .Text("post_transform", "NONE");

        static bool IsLeaf((int Id, Tree Tree, int Node) at) => at.Tree.Left[at.Node] < 0;
    }

    private static Tree[] Folded(TreeEnsemble ensemble)
    {
        if (ensemble.Trees.Count == 0)
            return [Tree.Constant(ensemble.BaseScore)];
        var first = ensemble.Trees[0];
        var leaves = first.LeafValue.Select((value, node) => first.Left[node] < 0 ? ensemble.BaseScore + value : value);
        return [first with { LeafValue = [.. leaves] }, .. ensemble.Trees.Skip(1)];
    }
}
