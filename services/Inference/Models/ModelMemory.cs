using MlOps.Inference.Models.Backends;
using MlOps.Numerics.Trees;

namespace MlOps.Inference.Models;

/// <summary>
/// What a loaded version takes of memory, estimated from what is known at load: twice the bytes of each graph in ONNX
/// Runtime (its file and what is made of it) and what its arena reserves first, the packed trees of the evaluator, and the
/// trees as explanations read them. What large requests make an arena grow by is not in it.
/// </summary>
internal static class ModelMemory
{
    private const long ArenaBytes = 1 << 20;
    private const long NodeBytes = 29;
    private const long TreeBytes = 320;

    public static long Of(int artifactBytes, IModelBackend backend, GraphParts parts, OnnxSettings settings) =>
        (backend is TreesBackend trees ? trees.BytesWith(settings) : OfGraph(artifactBytes, settings)) + OfTrees(parts.Trees);

    public static long OfGraph(int bytes, OnnxSettings settings) => (2L * bytes) + (settings.Arena ? ArenaBytes : 0);

    private static long OfTrees(OnnxTrees? trees) =>
        trees?.Targets.Sum(target => target.Trees.Sum(tree => (NodeBytes * tree.Size) + TreeBytes)) ?? 0;
}
