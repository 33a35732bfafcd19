using MlOps.Contracts.Monitoring.V1;
using MlOps.Gateway.Splits;
using MlOps.Numerics.PairedTests;
using MlOps.ServiceDefaults;
using Npgsql;
using Wire = MlOps.Contracts.Gateway.V1;

namespace MlOps.Gateway.Shadows;

/// <summary>
/// What a shadow did beside the live versions: its copies as all replicas counted them, its answers as the prediction log has
/// them, which is behind by about a second.
/// </summary>
internal sealed class ReportShadow(
    NpgsqlDataSource source, PolicyBook book, MonitoringService.MonitoringServiceClient monitoring, TimeProvider time)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <exception cref="NotFoundException">SHADOW_NOT_FOUND: the policy in force has no such shadow, and no time is given.</exception>
    /// <exception cref="Grpc.Core.RpcException">Monitoring's refusals: SHADOW_INVALID, WINDOW_INVALID, MODEL_UNKNOWN.</exception>
    public async Task<Wire.ShadowReport> RunAsync(Wire.GetShadowReportRequest request, CancellationToken ct)
    {
        var policy = book.Current.Find(request.Model)?.Policy;
        var shadow = policy?.Shadows.FirstOrDefault(s => s.Version == request.Version);
        if (shadow is null && request.FromMicros == 0)
        {
            throw new NotFoundException(
                "SHADOW_NOT_FOUND", $"Version {request.Version} is no shadow of {request.Model} now; of an earlier one give from_micros.");
        }

        var from = request.FromMicros == 0 && policy is not null ? Micros(policy.UpdatedAt) : request.FromMicros;
        return new Wire.ShadowReport
        {
            Model = request.Model,
            Version = request.Version,
            Rate = shadow?.Rate ?? 0,
            SinceMicros = from,
            Counts = await CountAsync(request.Model, request.Version, policy?.Revision ?? -1, ct),
            Comparison = await CompareAsync(request, from, ct),
        };
    }

    /// <summary>Of one revision of the policy.</summary>
    public async Task<Wire.ShadowCounts> CountAsync(string model, string version, long revision, CancellationToken ct)
    {
        var rows = await source.QueryAsync(
            "select counts from shadow_outcome where model = $1 and version = $2 and revision = $3", [model, version, revision],
            r => r.GetFieldValue<long[]>(0), ct);
        long Sum(ShadowOutcome outcome) => rows.Sum(counts => counts[(int)outcome]);
        var counts = new Wire.ShadowCounts
        {
            BothAnswered = Sum(ShadowOutcome.BothAnswered),
            OnlyLiveAnswered = Sum(ShadowOutcome.OnlyLiveAnswered),
            OnlyShadowAnswered = Sum(ShadowOutcome.OnlyShadowAnswered),
            NeitherAnswered = Sum(ShadowOutcome.NeitherAnswered),
            Shed = Sum(ShadowOutcome.Shed),
            Unreached = Sum(ShadowOutcome.Unreached),
            Dropped = Sum(ShadowOutcome.Dropped),
            NotCopied = Sum(ShadowOutcome.NotCopied),
        };
        counts.FailurePValue = McNemar.MidP(counts.OnlyLiveAnswered, counts.OnlyShadowAnswered).PValue;
        return counts;
    }

    public async Task<ShadowComparison> CompareAsync(Wire.GetShadowReportRequest request, long fromMicros, CancellationToken ct)
    {
        var asked = new CompareShadowRequest
        {
            Model = request.Model,
            Version = request.Version,
            FromMicros = fromMicros,
            ToMicros = request.ToMicros,
            Segment = request.Segment,
        };
        if (request.HasThreshold) asked.Threshold = request.Threshold;
        return await monitoring.CompareShadowAsync(asked, deadline: (time.GetUtcNow() + Patience).UtcDateTime, cancellationToken: ct);
    }

    internal static long Micros(DateTimeOffset at) => (at - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;
}
