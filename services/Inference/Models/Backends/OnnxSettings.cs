using System.ComponentModel.DataAnnotations;

namespace MlOps.Inference.Models.Backends;

/// <summary>How ONNX Runtime computes a model, or what of it is left to ONNX Runtime. Nothing spins, whatever is set.</summary>
internal sealed record OnnxSettings
{
    /// <summary>
    /// Threads that share the work of one request. Default 1: requests are the parallelism. With more of them sums are
    /// taken in another order, so that a row's answer may depend on the rows beside it.
    /// </summary>
    [Range(1, 64)]
    public int IntraOpThreads { get; init; } = 1;

    /// <summary>
    /// Whether memory stays reserved from request to request, as much as the largest took. Default true; false costs time
    /// and gives it back.
    /// </summary>
    public bool Arena { get; init; } = true;

    /// <summary>How far the graph is rewritten at load: None, Basic, Extended or All. Default All.</summary>
    [EnumDataType(typeof(OnnxOptimization))]
    public OnnxOptimization Optimization { get; init; } = OnnxOptimization.All;
}

/// <summary>ONNX Runtime's levels of graph optimization.</summary>
internal enum OnnxOptimization
{
    None,

    /// <summary>What leaves the operations as they are: constants folded, what changes nothing removed.</summary>
    Basic,

    /// <summary>Operations fused, too.</summary>
    Extended,

    /// <summary>And the layout of tensors changed.</summary>
    All,
}
