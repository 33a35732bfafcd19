using System.Collections.Concurrent;
using System.Globalization;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.Options;
using MlOps.Gateway.Shadows;
using MlOps.ServiceDefaults;
using Npgsql;
using Wire = MlOps.Contracts.Gateway.V1;

namespace MlOps.Gateway.Rollouts;

/// <summary>
/// Looks at what the version on trial did as a shadow since its step began. It is judged once, when all samples are there, so that the
/// shares are what they seem.
/// </summary>
internal sealed partial class ShadowVersion(
    NpgsqlDataSource source, ReportShadow report, IOptions<RolloutOptions> options, TimeProvider time, ILogger<ShadowVersion> logger)
{
    // One entry per rollout that this replica drives; forgotten with the step.
    private readonly ConcurrentDictionary<Guid, DateTimeOffset> _compared = [];

    /// <summary>What the step came to; null: samples are missing.</summary>
    public async Task<ShadowResult?> LookAsync(Rollout rollout, ShadowStep step, CancellationToken ct)
    {
        var version = rollout.Version.ToString(CultureInfo.InvariantCulture);
        var found = new Wire.ShadowReport
        {
            Model = rollout.Model,
            Version = version,
            Rate = step.Rate,
            SinceMicros = ReportShadow.Micros(rollout.State.Since),
            Counts = await report.CountAsync(rollout.Model, version, rollout.State.Revision, ct),
            Comparison = rollout.Shadow?.Comparison,
        };
        var tried = found.Counts.BothAnswered + found.Counts.OnlyLiveAnswered;
        var isDone = tried >= step.Samples;
        if (isDone || time.GetUtcNow() - _compared.GetValueOrDefault(rollout.Id) >= options.Value.MonitoringInterval) await CompareAsync(rollout, found, ct);
        await source.ExecuteAsync(
            "update rollout set shadow = $2 where rollout_id = $1 and stamp = $3", [rollout.Id, found.ToByteArray(), rollout.Stamp], ct);
        if (!isDone) return null;

        var result = Judge(step, found, tried);
        if (result is not null) _compared.TryRemove(rollout.Id, out _);
        return result;
    }

    private async Task CompareAsync(Rollout rollout, Wire.ShadowReport found, CancellationToken ct)
    {
        try
        {
            var asked = new Wire.GetShadowReportRequest { Model = found.Model, Version = found.Version };
            found.Comparison = await report.CompareAsync(asked, found.SinceMicros, ct);
            _compared[rollout.Id] = time.GetUtcNow();
        }
        catch (RpcException e) when (!ct.IsCancellationRequested)
        {
            LogAway(rollout.Model, e.Status.Detail);
        }
    }

    /// <summary>A function of its arguments; null: nothing is known of the difference that is to be judged.</summary>
    internal static ShadowResult? Judge(ShadowStep step, Wire.ShadowReport found, long tried)
    {
        var failed = found.Counts.OnlyLiveAnswered / (double)Math.Max(1, tried);
        var difference = found.Comparison is { All.Pairs: > 0 } comparison ? comparison.All.MeanAbsoluteDifference : double.NaN;
        var figures = string.Create(
            CultureInfo.InvariantCulture, $"{tried:N0} shadowed, {failed * 100:0.##} % failed where the live version answered, mean difference {difference:0.####}");
        if (failed > step.MaxFailureShare)
            return new ShadowResult(string.Create(CultureInfo.InvariantCulture, $"{figures}: failures above {step.MaxFailureShare * 100:0.##} %"), IsWorse: true);
        if (step.MaxDifference is not { } most) return new ShadowResult(figures, IsWorse: false);
        if (double.IsNaN(difference)) return null;
        return difference > most
            ? new ShadowResult(string.Create(CultureInfo.InvariantCulture, $"{figures}: above {most:0.####}"), IsWorse: true)
            : new ShadowResult(figures, IsWorse: false);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Monitoring has no answer about the shadow of {Model}; its last one stands: {Reason}")]
    private partial void LogAway(string model, string reason);
}

/// <summary>A shadow step that has its samples, in words.</summary>
internal sealed record ShadowResult(string Message, bool IsWorse);
