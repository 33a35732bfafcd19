namespace MlOps.Inference.Responses;

/// <summary>What a version answered to some inputs.</summary>
/// <param name="Hash">Of the inputs.</param>
/// <param name="Inputs">In the model's order.</param>
/// <param name="Outputs">In the model's order.</param>
/// <param name="KeptAt">Timestamp.</param>
internal sealed record CachedAnswer(int Hash, CachedTensor[] Inputs, CachedTensor[] Outputs, long KeptAt)
{
    private const int Overhead = 256;

    /// <summary>Bytes, about.</summary>
    public long Size { get; } = Overhead + Inputs.Sum(t => t.Size) + Outputs.Sum(t => t.Size);
}
