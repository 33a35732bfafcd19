using System.ComponentModel.DataAnnotations;

namespace MlOps.Inference.Explanations;

/// <summary>What explanations of a model may cost: part <c>Explanations</c> of its settings.</summary>
internal sealed record ExplanationSettings
{
    /// <summary>Rows of a request that is to be explained. Default 256.</summary>
    [Range(1, 100_000)]
    public int MaxRows { get; init; } = 256;

    /// <summary>Rows the model is asked for one request explained by sampling. Default 1,000,000.</summary>
    [Range(1, 1_000_000_000)]
    public long MaxEvaluations { get; init; } = 1_000_000;

    /// <summary>Pairs of orders sampled where a request names none. Default 64.</summary>
    [Range(1, 100_000)]
    public int Samples { get; init; } = 64;

    /// <summary>Explained rows kept per loaded version; those longest unused go first. Default 4,096; 0: none.</summary>
    [Range(0, 1_000_000)]
    public int CachedRows { get; init; } = 4_096;
}
