namespace MlOps.Inference.Models.Backends;

/// <summary>What is to compute a model.</summary>
internal enum BackendKind
{
    /// <summary>The evaluator of trees where it was measured to answer the same and to be faster, else ONNX Runtime.</summary>
    Auto,

    /// <summary>ONNX Runtime alone.</summary>
    OnnxRuntime,

    /// <summary>The evaluator of trees, however fast; a version it cannot answer the same is refused.</summary>
    Trees,
}
