namespace MlOps.Numerics.Assignment;

/// <summary>
/// A part of a layer's hash space: experiments in parts that do not overlap have no subject in common (the namespaces of
/// GrowthBook, with the hash of its version 2).
/// </summary>
public sealed class LayerRange(string name, double start, double end)
{
    private readonly string _seed = SeedOf(name);

    /// <summary>Whether the subject's place in the layer lies in [start, end). Allocates nothing.</summary>
    public bool Has(ReadOnlySpan<char> subject) => SubjectHash.Bucket(_seed, subject) is var place && place >= start && place < end;

    // As GrowthBook does, so that a layer of the same name as an experiment's salt has another order.
    private static string SeedOf(string name) => $"__{name}";
}
