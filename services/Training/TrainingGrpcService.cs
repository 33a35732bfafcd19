using Grpc.Core;
using MlOps.Contracts.Training.V1;
using MlOps.ServiceDefaults;
using MlOps.Training.Runs;
using MlOps.Training.Trainers;
using Npgsql;

namespace MlOps.Training;

/// <summary>The contract <c>mlops.training.v1</c>; every call is a slice of its own.</summary>
internal sealed class TrainingGrpcService(
    SubmitPipeline submit, WatchTrainingRun watch, CancelTrainingRun cancel, TrainerCatalogue trainers, NpgsqlDataSource source)
    : TrainingService.TrainingServiceBase
{
    public override Task<TrainingRun> SubmitPipeline(SubmitPipelineRequest request, ServerCallContext context) =>
        submit.HandleAsync(request, context.CancellationToken);

    public override Task<TrainingRun> GetTrainingRun(GetTrainingRunRequest request, ServerCallContext context) =>
        TrainingRunRows.GetAsync(source, request.TrainingRunId, context.CancellationToken);

    public override async Task<ListTrainingRunsResponse> ListTrainingRuns(
        ListTrainingRunsRequest request, ServerCallContext context)
    {
        if (request.Limit is < 0 or > 1000)
            throw new InvalidRequestException("LIST_INVALID", [new FieldViolation("limit", "must be 0 (100) or 1 to 1,000")]);
        var limit = request.Limit == 0 ? 100 : request.Limit;
        var response = new ListTrainingRunsResponse();
        response.Runs.Add(await TrainingRunRows.ListAsync(source, request.Model, limit, context.CancellationToken));
        return response;
    }

    public override async Task WatchTrainingRun(
        GetTrainingRunRequest request, IServerStreamWriter<TrainingRun> responseStream, ServerCallContext context)
    {
        await foreach (var run in watch.HandleAsync(request.TrainingRunId, context.CancellationToken))
            await responseStream.WriteAsync(run, context.CancellationToken);
    }

    public override Task<TrainingRun> CancelTrainingRun(CancelTrainingRunRequest request, ServerCallContext context) =>
        cancel.HandleAsync(request.TrainingRunId, context.CancellationToken);

    public override Task<ListTrainersResponse> ListTrainers(ListTrainersRequest request, ServerCallContext context)
    {
        var response = new ListTrainersResponse();
        foreach (var trainer in trainers.All)
        {
            response.Trainers.Add(new ListTrainersResponse.Types.Trainer
            {
                Name = trainer.Name,
                Available = trainer.IsAvailable,
                Note = trainer.Note,
                Parameters = { trainer.Parameters.Select(parameter => parameter.Description) },
            });
        }
        foreach (var (name, note) in TrainerCatalogue.Absent)
            response.Trainers.Add(new ListTrainersResponse.Types.Trainer { Name = name, Available = false, Note = note });
        return Task.FromResult(response);
    }
}
