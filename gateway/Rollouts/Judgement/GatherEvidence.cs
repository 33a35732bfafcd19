using System.Collections.Concurrent;
using System.Globalization;
using Grpc.Core;
using Microsoft.Extensions.Options;
using MlOps.Contracts.Monitoring.V1;
using MlOps.Gateway.Rollouts.Observations;

namespace MlOps.Gateway.Rollouts.Judgement;

/// <summary>
/// Reads what is known of a rollout's strata. Monitoring is asked where a rule needs it, no more often than the interval says; while
/// it is away its last answer stands, for labels only ever add to it.
/// </summary>
internal sealed partial class GatherEvidence(
    ReadOutcomes outcomes, MonitoringService.MonitoringServiceClient monitoring, IOptions<RolloutOptions> options, TimeProvider time,
    ILogger<GatherEvidence> logger)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private static readonly IReadOnlyDictionary<long, ArmStatistics[]> Nothing = new Dictionary<long, ArmStatistics[]>();

    // One entry per rollout that this replica drives; forgotten with it.
    private readonly ConcurrentDictionary<Guid, (DateTimeOffset At, IReadOnlyDictionary<long, ArmStatistics[]> Logged)> _logged = [];

    public async Task<IReadOnlyList<Evidence>> RunAsync(Rollout rollout, CancellationToken ct)
    {
        var strata = rollout.State.Strata;
        var observed = await outcomes.RunAsync(strata.Select(s => s.Revision), ct);
        var logged = rollout.Plan.Rules.Any(r => RolloutMetric.IsLogged(r.Metric)) ? await LoggedAsync(rollout, ct) : Nothing;
        return
        [
            .. strata.Select(s => new Evidence(
                s, observed[s.Revision], Find(logged, s, rollout.StableVersion, RolloutArms.Stable),
                Find(logged, s, rollout.Version, RolloutArms.Canary))),
        ];
    }

    public void Forget(Guid rollout) => _logged.TryRemove(rollout, out _);

    private static ArmStatistics? Find(
        IReadOnlyDictionary<long, ArmStatistics[]> logged, RolloutStratum stratum, int version, string arm) =>
        logged.GetValueOrDefault(stratum.Revision)?.FirstOrDefault(a =>
            a.Variant == arm && a.Version == version.ToString(CultureInfo.InvariantCulture));

    private async Task<IReadOnlyDictionary<long, ArmStatistics[]>> LoggedAsync(Rollout rollout, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        if (_logged.TryGetValue(rollout.Id, out var last) && now - last.At < options.Value.MonitoringInterval) return last.Logged;
        var logged = last.Logged ?? Nothing;
        try
        {
            var answers = new Dictionary<long, ArmStatistics[]>();
            foreach (var stratum in rollout.State.Strata) answers[stratum.Revision] = await AskAsync(rollout.Model, stratum, now, ct);
            logged = answers;
        }
        catch (RpcException e) when (!ct.IsCancellationRequested)
        {
            LogAway(rollout.Model, e.Status.Detail);
        }

        _logged[rollout.Id] = (now, logged);
        return logged;
    }

    private async Task<ArmStatistics[]> AskAsync(string model, RolloutStratum stratum, DateTimeOffset now, CancellationToken ct)
    {
        var answer = await monitoring.GetArmStatisticsAsync(
            new WindowRequest
            {
                Model = model,
                FromMicros = Micros(stratum.From),
                ToMicros = stratum.Until is { } until ? Micros(until) : 0,
            },
            deadline: (now + Patience).UtcDateTime, cancellationToken: ct);
        return [.. answer.Arms];
    }

    private static long Micros(DateTimeOffset at) => (at - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;

    [LoggerMessage(Level = LogLevel.Warning, Message = "Monitoring has no answer about {Model}; its last one stands: {Reason}")]
    private partial void LogAway(string model, string reason);
}
