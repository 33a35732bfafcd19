using Grpc.Core;
using MlOps.Gateway.Experiments.Readouts;
using Wire = MlOps.Contracts.Gateway.V1;

namespace MlOps.Gateway.Experiments;

/// <summary><c>mlops.gateway.v1.ExperimentService</c>: translates between the wire and the slices.</summary>
internal sealed class ExperimentGrpcService(
    PutExperiment put, ListExperiments list, StartExperiment start, EndExperiment end, ReadExperiment read)
    : Wire.ExperimentService.ExperimentServiceBase
{
    public override async Task<Wire.Experiment> PutExperiment(Wire.PutExperimentRequest request, ServerCallContext context) =>
        ExperimentWire.ToWire(await put.RunAsync(
            request.Name, request.Model, ExperimentWire.FromWire(request.Plan ?? new Wire.ExperimentPlan()), request.Revision, request.Actor,
            request.Reason, context.CancellationToken));

    public override async Task<Wire.Experiment> GetExperiment(Wire.GetExperimentRequest request, ServerCallContext context) =>
        ExperimentWire.ToWire(await list.GetAsync(request.Name, context.CancellationToken));

    public override async Task<Wire.ListExperimentsResponse> ListExperiments(
        Wire.ListExperimentsRequest request, ServerCallContext context) =>
        new() { Experiments = { (await list.RunAsync(request.Model, context.CancellationToken)).Select(ExperimentWire.ToWire) } };

    public override async Task<Wire.DeleteExperimentResponse> DeleteExperiment(
        Wire.SteerExperimentRequest request, ServerCallContext context)
    {
        await put.DeleteAsync(request.Name, request.Revision, request.Actor, request.Reason, context.CancellationToken);
        return new Wire.DeleteExperimentResponse();
    }

    public override async Task<Wire.Experiment> StartExperiment(Wire.SteerExperimentRequest request, ServerCallContext context) =>
        ExperimentWire.ToWire(await start.RunAsync(
            request.Name, request.Revision, request.Actor, request.Reason, context.CancellationToken));

    public override async Task<Wire.Experiment> StopExperiment(Wire.SteerExperimentRequest request, ServerCallContext context) =>
        ExperimentWire.ToWire(await end.StopAsync(
            request.Name, request.Revision, request.Actor, request.Reason, context.CancellationToken));

    public override async Task<Wire.Experiment> DecideExperiment(Wire.DecideExperimentRequest request, ServerCallContext context) =>
        ExperimentWire.ToWire(await end.DecideAsync(
            request.Name, request.Arm, request.Revision, request.Actor, request.Reason, context.CancellationToken));

    public override async Task<Wire.ExperimentReadout> GetExperimentReadout(
        Wire.GetExperimentRequest request, ServerCallContext context) =>
        ReadoutWire.ToWire(await read.RunAsync(request.Name, context.CancellationToken));

    public override async Task<Wire.ListExperimentExposuresResponse> ListExperimentExposures(
        Wire.ListExperimentExposuresRequest request, ServerCallContext context) =>
        ExperimentWire.ToWire(await read.ExposuresAsync(request.Name, request.PageSize, request.PageToken, context.CancellationToken));
}
