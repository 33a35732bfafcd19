using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Gateway.Rollouts.Observations;

/// <summary>The outcomes of revisions of a policy over all replicas, those that are gone included.</summary>
internal sealed class ReadOutcomes(NpgsqlDataSource source)
{
    public async Task<Dictionary<long, ObservedStratum>> RunAsync(IEnumerable<long> revisions, CancellationToken ct)
    {
        var asked = revisions.ToArray();
        var found = asked.ToDictionary(r => r, _ => new ObservedStratum(new ArmCounts(), new ArmCounts(), 0, 0));
        var rows = await source.QueryAsync(
            "select revision, arm, counts from arm_outcome where revision = any($1)", [asked],
            r => (Revision: r.GetInt64(0), Arm: r.GetString(1), Counts: r.GetFieldValue<byte[]>(2)), ct);
        foreach (var (revision, arm, packed) in rows)
        {
            var stratum = found[revision];
            (arm == RolloutArms.Canary ? stratum.Canary : stratum.Stable).Add(ArmCounts.Unpack(packed));
        }

        var subjects = await source.QueryAsync(
            """
            select revision, count(*) filter (where arm = 0), count(*) filter (where arm = 1)
            from arm_subject where revision = any($1) group by revision
            """,
            [asked], r => (Revision: r.GetInt64(0), Stable: r.GetInt64(1), Canary: r.GetInt64(2)), ct);
        foreach (var (revision, stable, canary) in subjects)
        {
            found[revision] = found[revision] with { StableSubjects = stable, CanarySubjects = canary };
        }

        return found;
    }
}

/// <summary>Both arms while the split did not change: what came of their requests, and how many subjects each met.</summary>
internal sealed record ObservedStratum(ArmCounts Stable, ArmCounts Canary, long StableSubjects, long CanarySubjects);
