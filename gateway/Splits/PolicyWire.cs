using Wire = MlOps.Contracts.Gateway.V1;

namespace MlOps.Gateway.Splits;

/// <summary>Policies and their changes between the wire of <c>mlops.gateway.v1</c> and the slices.</summary>
internal static class PolicyWire
{
    public static TrafficPolicy FromWire(Wire.TrafficPolicy policy) => new(
        policy.Model,
        [.. policy.Arms.Select(a => new PolicyArm(a.Name, a.Version, a.Weight))],
        policy.Salt,
        policy.Coverage == 0 && !policy.HasCoverage ? 1 : policy.Coverage,
        policy.SubjectHeader,
        policy.Revision,
        default)
    {
        SubjectInput = policy.SubjectInput,
        SubjectJson = policy.SubjectJson,
        Layer = policy.Layer is { } layer ? new PolicyLayer(layer.Name, layer.Start, layer.End) : null,
        Shadows = [.. policy.Shadows.Select(s => new PolicyShadow(s.Version, s.Rate))],
    };

    public static Wire.TrafficPolicy ToWire(TrafficPolicy policy) => new()
    {
        Model = policy.Model,
        Arms =
        {
            policy.Arms.Select(a => new Wire.Arm { Name = a.Name, Version = a.Version, Weight = a.Weight }),
        },
        Salt = policy.Salt,
        Coverage = policy.Coverage,
        HasCoverage = true,
        SubjectHeader = policy.SubjectHeader,
        SubjectInput = policy.SubjectInput,
        SubjectJson = policy.SubjectJson,
        Layer = policy.Layer is { } layer ? new Wire.Layer { Name = layer.Name, Start = layer.Start, End = layer.End } : null,
        Revision = policy.Revision,
        UpdatedAtMicros = Micros(policy.UpdatedAt),
        Owner = policy.Owner,
        Shadows = { policy.Shadows.Select(s => new Wire.Shadow { Version = s.Version, Rate = s.Rate }) },
    };

    public static Wire.TrafficPolicyChange ToWire(PolicyChange change) => new()
    {
        Revision = change.Revision,
        Model = change.Model,
        Actor = change.Actor,
        Reason = change.Reason,
        Source = change.Source,
        Before = change.Before is { } before ? ToWire(before) : null,
        After = change.After is { } after ? ToWire(after) : null,
        ChangedAtMicros = Micros(change.ChangedAt),
    };

    private static long Micros(DateTimeOffset time) => (time - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;
}
