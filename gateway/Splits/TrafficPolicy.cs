namespace MlOps.Gateway.Splits;

/// <summary>
/// Which version of a model answers which share of the subjects, as it stands after the change numbered by its revision.
/// The salt, seed of the assignment hash, is never empty; coverage is the share, 0 to 1, of each arm's range in use, and
/// subjects outside go to the first arm; the subject's header is in lower case, as gRPC metadata wants it.
/// </summary>
internal sealed record TrafficPolicy(
    string Model,
    IReadOnlyList<PolicyArm> Arms,
    string Salt,
    double Coverage,
    string SubjectHeader,
    long Revision,
    DateTimeOffset UpdatedAt)
{
    public const string DefaultSubjectHeader = "x-mlops-subject";
}

/// <summary>One side of a split: a version number or alias, and its share of the subjects, 0 to 1.</summary>
internal sealed record PolicyArm(string Name, string Version, double Weight);
