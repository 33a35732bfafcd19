using MassTransit;
using MlOps.Contracts.Events;

namespace MlOps.Monitoring.PredictionLog;

/// <summary>Adds each batch of predictions to the log once; a malformed one goes to the error queue whole.</summary>
internal sealed class PredictionsLoggedConsumer(LogPredictions logPredictions) : IConsumer<PredictionsLogged>
{
    /// <summary>Name in the inbox; never changes.</summary>
    public const string Name = "predictions-logged";

    public Task Consume(ConsumeContext<PredictionsLogged> context) =>
        logPredictions.HandleAsync(context.Message.BatchId, BatchEncoding.Open(context.Message), context.CancellationToken);
}
