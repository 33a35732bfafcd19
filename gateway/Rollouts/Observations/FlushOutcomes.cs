using Microsoft.Extensions.Options;
using MlOps.Gateway.Shadows;
using MlOps.Gateway.Splits;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Gateway.Rollouts.Observations;

/// <summary>
/// Writes this replica's outcomes to the database, once per interval and when it stops. Counts are cumulative, so one that is
/// lost or comes twice changes nothing; while PostgreSQL is away they wait in memory.
/// </summary>
internal sealed partial class FlushOutcomes(
    NpgsqlDataSource source, OutcomeBook outcomes, ShadowBook shadows, FlushShadows flushShadows, PolicyBook policies,
    IOptions<RolloutOptions> options, TimeProvider time, ILogger<FlushOutcomes> logger) : BackgroundService
{
    private readonly Dictionary<(long Revision, int Arm), long> _written = [];

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.Value.FlushInterval, time);
        var isAway = false;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await timer.WaitForNextTickAsync(stoppingToken);
                outcomes.Sweep(policies.Current);
                shadows.Sweep(policies.Current);
                await FlushAsync(stoppingToken);
                isAway = false;
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                break;
            }
            catch (Exception e)
            {
                // Whatever it is: requests go on, and the next flush has these counts as well.
                if (!isAway) LogKept(e.Message);
                isAway = true;
            }
        }
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        try
        {
            await FlushAsync(cancellationToken);
        }
        catch (Exception e) when (e is NpgsqlException or OperationCanceledException)
        {
            LogKept(e.Message);
        }
    }

    public async Task FlushAsync(CancellationToken ct)
    {
        var all = outcomes.All.ToArray();
        foreach (var gone in _written.Keys.Where(k => all.All(o => o.Policy.Revision != k.Revision)).ToArray()) _written.Remove(gone);
        var changed = all.SelectMany(o => o.Arms.Select((arm, i) => (o.Policy, Arm: i, Counts: arm.Read())))
            .Where(c => c.Counts.Requests != _written.GetValueOrDefault((c.Policy.Revision, c.Arm))).ToArray();
        if (changed.Length > 0)
        {
            await source.ExecuteAsync(
                """
                insert into arm_outcome (revision, replica, arm, model, version, counts, flushed_at)
                select revision, $1, arm, model, version, counts, $2
                from unnest($3::bigint[], $4::text[], $5::text[], $6::text[], $7::bytea[]) as c (revision, arm, model, version, counts)
                on conflict (revision, replica, arm) do update set counts = excluded.counts, flushed_at = excluded.flushed_at
                """,
                [
                    outcomes.Replica, time.GetUtcNow(), changed.Select(c => c.Policy.Revision).ToArray(),
                    changed.Select(c => c.Policy.Arms[c.Arm].Name).ToArray(), changed.Select(c => c.Policy.Model).ToArray(),
                    changed.Select(c => c.Policy.Arms[c.Arm].Version).ToArray(), changed.Select(c => c.Counts.Packed).ToArray(),
                ],
                ct);
            foreach (var (policy, arm, counts) in changed) _written[(policy.Revision, arm)] = counts.Requests;
        }

        foreach (var observed in all) await FlushSubjectsAsync(observed, ct);
        await flushShadows.RunAsync(ct);
    }

    private async Task FlushSubjectsAsync(ObservedPolicy observed, CancellationToken ct)
    {
        var (subjects, arms) = observed.Subjects.Take();
        if (subjects.Length == 0) return;
        try
        {
            await source.ExecuteAsync(
                """
                insert into arm_subject (revision, subject, arm, model)
                select $1, subject, arm, $2 from unnest($3::bigint[], $4::smallint[]) as s (subject, arm)
                on conflict do nothing
                """,
                [observed.Policy.Revision, observed.Policy.Model, subjects, arms], ct);
        }
        catch
        {
            observed.Subjects.GiveBack(subjects.Length);
            throw;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Outcomes of arms stay in memory for now: {Reason}")]
    private partial void LogKept(string reason);
}
