using System.ComponentModel.DataAnnotations;
using MlOps.Inference.Batching;
using MlOps.Inference.Explanations;
using MlOps.Inference.Guards;
using MlOps.Inference.Models.Backends;
using MlOps.Inference.PredictionLog;
using MlOps.Inference.Predictions;
using MlOps.Inference.Responses;

namespace MlOps.Inference.Models;

/// <summary>
/// How one model is served: section <c>Inference:Models:{name}</c>; what it leaves out comes from
/// <c>Inference:Defaults</c>. Each part is a record of its own with its rules.
/// </summary>
internal sealed record ModelSettings
{
    /// <summary>What computes it: Auto, OnnxRuntime or Trees. Default Auto.</summary>
    [EnumDataType(typeof(BackendKind))]
    public BackendKind Backend { get; init; } = BackendKind.Auto;

    public OnnxSettings Onnx { get; init; } = new();

    public LogSettings Log { get; init; } = new();

    public BatchSettings Batching { get; init; } = new();

    public CacheSettings Cache { get; init; } = new();

    public GuardSettings Guard { get; init; } = new();

    public FeatureSettings Features { get; init; } = new();

    public ExplanationSettings Explanations { get; init; } = new();
}
