using Grpc.Core;
using MassTransit;
using Microsoft.Extensions.Options;
using MlOps.Contracts.Events;
using MlOps.ServiceDefaults;

namespace MlOps.Gateway.Rollouts;

/// <summary>
/// A version that gets the alias "challenger" is rolled out by the default plan, on whichever replica hears of it. One that cannot be
/// now is not tried again; an event that comes twice begins one rollout.
/// </summary>
internal sealed partial class ChallengerNamedConsumer(
    StartRollout start, Inbox inbox, IOptions<RolloutOptions> options, ILogger<ChallengerNamedConsumer> logger) : IConsumer<ModelAliasMoved>
{
    /// <summary>Name in the inbox; never changes.</summary>
    public const string Name = "challenger-named";

    public async Task Consume(ConsumeContext<ModelAliasMoved> context)
    {
        var moved = context.Message;
        // The outbox gives every event its id.
        var id = context.MessageId!.Value;
        if (moved.Alias != ModelAliases.Challenger || moved.ToVersion is not { } version || !options.Value.StartOnChallenger) return;
        try
        {
            await start.RunAsync(
                moved.Model, version, new RolloutPlan(), RolloutSource.Alias, moved.Actor, moved.Reason, context.CancellationToken,
                transaction => inbox.TryEnterAsync(transaction, Name, id, context.CancellationToken));
        }
        catch (Exception e) when (e is ConflictException or RpcException { StatusCode: StatusCode.NotFound })
        {
            LogNotStarted(moved.Model, version, e.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "The challenger {Model} {Version} is not rolled out: {Reason}")]
    private partial void LogNotStarted(string model, int version, string reason);
}
