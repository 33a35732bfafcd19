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

    /// <summary>Model input whose first value in the body is the subject where the header has none; empty: none.</summary>
    public string SubjectInput { get; init; } = "";

    /// <summary>Instead of an input: a JSON pointer (RFC 6901) into the body; empty: none.</summary>
    public string SubjectJson { get; init; } = "";

    /// <summary>Null: the experiment shares its subjects with all others.</summary>
    public PolicyLayer? Layer { get; init; }

    /// <summary>Versions that answer copies of the requests, for nobody but the prediction log.</summary>
    public IReadOnlyList<PolicyShadow> Shadows { get; init; } = [];

    /// <summary>The rollout that set it, and judges its arms by what comes of their requests; null: somebody's own.</summary>
    public Guid? Rollout { get; init; }

    /// <summary>Who may change it: the API, or the gateway's policy file alone. The file's policies have revision 0.</summary>
    public string Owner { get; init; } = PolicyOwner.Api;

    /// <summary>An empty salt is the model's name, and no header the usual one.</summary>
    public TrafficPolicy WithDefaults() => this with
    {
        Salt = Salt.Length > 0 ? Salt : Model,
        SubjectHeader = SubjectHeader.Length > 0 ? SubjectHeader.ToLowerInvariant() : DefaultSubjectHeader,
    };
}

/// <summary>
/// The part [start, end), within 0 to 1, of a layer's subjects that takes part in the experiment. No two policies have parts of
/// the same layer that overlap, so no subject takes part in two experiments of a layer.
/// </summary>
internal sealed record PolicyLayer(string Name, double Start, double End)
{
    public bool Overlaps(PolicyLayer? other) => other is not null && Name == other.Name && Start < other.End && other.Start < End;
}

/// <summary>A version number, and the share, above 0 to 1, of the requests that it gets copies of.</summary>
internal sealed record PolicyShadow(string Version, double Rate);

/// <summary>The two hands that write policies.</summary>
internal static class PolicyOwner
{
    public const string Api = "api";

    public const string File = "file";
}

/// <summary>One side of a split: a version number or alias, and its share of the subjects, 0 to 1.</summary>
internal sealed record PolicyArm(string Name, string Version, double Weight);
