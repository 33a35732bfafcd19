namespace MlOps.Training.Runs;

/// <summary>What the finisher needs to know of a trial.</summary>
internal sealed record EndedTrial(
    int Number, string State, double ValidationRmse, string? ModelDigest, string Failure,
    IReadOnlyDictionary<string, string> Parameters);
