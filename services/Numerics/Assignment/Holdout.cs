namespace MlOps.Numerics.Assignment;

/// <summary>The share of all subjects, 0 to 1, that takes part in no experiment, so that all of them can be judged together.</summary>
public sealed class Holdout(string salt, double share)
{
    /// <summary>Seed of its hash.</summary>
    public string Salt { get; } = salt;

    public double Share { get; } = share;

    /// <summary>A larger share holds out whom a smaller one does. Allocates nothing.</summary>
    public bool Has(ReadOnlySpan<char> subject) => SubjectHash.Bucket(Salt, subject) < Share;
}
