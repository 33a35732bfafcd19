using System.Globalization;
using System.Runtime.CompilerServices;
using Grpc.Core;
using Microsoft.AspNetCore.Http.Features;
using MlOps.Gateway.Routes;
using Yarp.ReverseProxy.Forwarder;
using Yarp.ReverseProxy.Health;
using Yarp.ReverseProxy.Model;

namespace MlOps.Gateway.Resilience;

/// <summary>
/// Leaves a replica alone that cannot be reached, or fails <see cref="MostFailures"/> requests in a row: for a second at first,
/// twice as long each time it happens again, a minute at most. Half of the replicas stay in use however they fail, as long as
/// they can be reached; a service with one replica keeps it.
/// </summary>
internal sealed partial class OutlierPolicy(IDestinationHealthUpdater health, GatewayMetrics metrics, ILogger<OutlierPolicy> logger)
    : IPassiveHealthCheckPolicy
{
    public const string PolicyName = "Outlier";

    /// <summary>Failures in a row after which a replica that answers is taken for broken.</summary>
    public const int MostFailures = 5;

    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(1);
    private readonly ConditionalWeakTable<DestinationState, Record> _records = [];

    public string Name => PolicyName;

    public void RequestProxied(HttpContext context, ClusterState cluster, DestinationState destination)
    {
        // Who gave up or sent nonsense says nothing about the replica.
        if (context.RequestAborted.IsCancellationRequested) return;
        var error = context.Features.Get<IForwarderErrorFeature>()?.Error;
        if (error is ForwarderError.RequestBodyClient or ForwarderError.ResponseBodyClient or ForwarderError.RequestCanceled) return;

        var record = _records.GetOrCreateValue(destination);
        if (error is null && !HasFailed(context))
        {
            record.Succeed();
            return;
        }

        var isUnreachable = error is ForwarderError.Request or ForwarderError.RequestBodyDestination or ForwarderError.RequestBodyCanceled;
        if (!record.Fail(isUnreachable)) return;
        if (!isUnreachable && cluster.Destinations.Count(d => d.Value.Health.Passive == DestinationHealth.Unhealthy) * 2 + 2 > cluster.Destinations.Count)
            return;
        var pause = record.Eject();
        health.SetPassive(cluster, destination, DestinationHealth.Unhealthy, pause);
        metrics.Ejections.Add(1, new KeyValuePair<string, object?>("service", cluster.ClusterId));
        LogEjected(cluster.ClusterId, destination.DestinationId, pause, isUnreachable ? "cannot be reached" : $"failed {MostFailures} requests in a row");
    }

    // Of its own doing: what it refuses because there is too much to do, or does not know, is no failure.
    private static bool HasFailed(HttpContext http)
    {
        if (!GrpcAnswer.IsGrpc(http.Request)) return http.Response.StatusCode is 500 or >= 502 and <= 504;
        var trailers = http.Features.Get<IHttpResponseTrailersFeature>()?.Trailers;
        var text = trailers is not null && trailers.TryGetValue("grpc-status", out var behind) ? behind.ToString() : http.Response.Headers["grpc-status"].ToString();
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var status)
            && (StatusCode)status is StatusCode.Unavailable or StatusCode.Internal or StatusCode.Unknown or StatusCode.DataLoss;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Replica {Replica} of {Cluster} is left alone for {Pause}: it {Why}")]
    private partial void LogEjected(string cluster, string replica, TimeSpan pause, string why);

    private sealed class Record
    {
        private int _failures;
        private int _ejections;

        public void Succeed()
        {
            if (Volatile.Read(ref _failures) == 0 && Volatile.Read(ref _ejections) == 0) return;
            Volatile.Write(ref _failures, 0);
            Volatile.Write(ref _ejections, 0);
        }

        /// <summary>Whether that was one too many.</summary>
        public bool Fail(bool isUnreachable) => Interlocked.Increment(ref _failures) >= MostFailures || isUnreachable;

        public TimeSpan Eject()
        {
            // On probation when it is back: the next failure is one too many.
            Volatile.Write(ref _failures, MostFailures - 1);
            var times = Math.Min(Interlocked.Increment(ref _ejections), 10);
            var pause = FirstPause * (1 << (times - 1));
            return pause < LongestPause ? pause : LongestPause;
        }
    }
}
