using Grpc.Core;
using Microsoft.Extensions.Options;
using MlOps.Contracts.Gateway.V1;
using Holdout = MlOps.Numerics.Assignment.Holdout;

namespace MlOps.Inference.Streams;

/// <summary>
/// The gateway's traffic policies, asked for again and again. Until they were heard of once no message is scored, since it
/// could get the wrong arm; while the gateway is away afterwards the last ones hold, as they do at the gateway itself.
/// </summary>
internal sealed partial class StreamPolicies(
    GatewayService.GatewayServiceClient? gateway, IOptions<StreamOptions> options, TimeProvider time, ILogger<StreamPolicies> logger)
    : BackgroundService
{
    /// <summary>Where the gateway is said to be; not set: there is none, and no policy.</summary>
    public const string AddressKey = "services:gateway:grpc:0";

    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(5);
    private readonly TaskCompletionSource _known = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile IReadOnlyDictionary<string, StreamSplit> _splits = new Dictionary<string, StreamSplit>();
    private string _lastFailure = "";

    public Task WaitUntilKnownAsync(CancellationToken ct) => gateway is null ? Task.CompletedTask : _known.Task.WaitAsync(ct);

    /// <summary>Null: the model has no policy.</summary>
    public StreamSplit? Find(string model) => _splits.GetValueOrDefault(model);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (gateway is null) return;
        using var timer = new PeriodicTimer(options.Value.PolicyInterval, time);
        do
        {
            try
            {
                await AskAsync(gateway, stoppingToken);
                _lastFailure = "";
            }
            catch (RpcException e) when (!stoppingToken.IsCancellationRequested)
            {
                // Told once, not at every interval.
                if (_lastFailure != e.Status.Detail) LogNotHeard(e.Status.Detail);
                _lastFailure = e.Status.Detail;
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    private async Task AskAsync(GatewayService.GatewayServiceClient client, CancellationToken ct)
    {
        var headers = new Metadata();
        if (options.Value.GatewayKey.Length > 0) headers.Add("x-api-key", options.Value.GatewayKey);
        var answer = await client.ListTrafficPoliciesAsync(
            new ListTrafficPoliciesRequest(), headers, (time.GetUtcNow() + CallTimeout).UtcDateTime, ct);
        var holdout = answer.Holdout is { Share: > 0 } held ? new Holdout(held.Salt, held.Share) : null;
        _splits = answer.Policies.ToDictionary(p => p.Model, p => new StreamSplit(p, holdout), StringComparer.Ordinal);
        _known.TrySetResult();
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The gateway's traffic policies could not be read; the last ones hold: {Reason}")]
    private partial void LogNotHeard(string reason);
}
