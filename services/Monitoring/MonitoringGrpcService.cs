using Grpc.Core;
using MlOps.Contracts.Monitoring.V1;
using MlOps.Monitoring.Drift;
using MlOps.Monitoring.Experiments;
using MlOps.Monitoring.Labels;
using MlOps.Monitoring.Outcomes;
using MlOps.Monitoring.Performance;
using MlOps.Monitoring.PredictionLog;
using MlOps.Monitoring.Shadows;

namespace MlOps.Monitoring;

/// <summary>The gRPC surface <c>mlops.monitoring.v1</c>: hands each call to its slice.</summary>
internal sealed class MonitoringGrpcService(
    SubmitLabels submitLabels, CountPredictions countPredictions, MeasureDrift measureDrift,
    MeasurePerformance measurePerformance, SummariseArms summariseArms, GetPredictions getPredictions,
    CompareShadow compareShadow, SubmitOutcomes submitOutcomes, SumExperiment sumExperiment, ListExposures listExposures)
    : MonitoringService.MonitoringServiceBase
{
    public override Task<SubmitLabelsResponse> SubmitLabels(SubmitLabelsRequest request, ServerCallContext context) =>
        submitLabels.HandleAsync(request.Labels, context.CancellationToken);

    public override async Task<GetPredictionCountsResponse> GetPredictionCounts(
        WindowRequest request, ServerCallContext context)
    {
        var window = Window.Of(request.FromMicros, request.ToMicros);
        return new() { Counts = { await countPredictions.HandleAsync(request.Model, window, context.CancellationToken) } };
    }

    public override async Task<GetArmStatisticsResponse> GetArmStatistics(WindowRequest request, ServerCallContext context)
    {
        var window = Window.Of(request.FromMicros, request.ToMicros);
        return new() { Arms = { await summariseArms.HandleAsync(request.Model, window, context.CancellationToken) } };
    }

    public override Task<GetDriftResponse> GetDrift(GetDriftRequest request, ServerCallContext context) =>
        measureDrift.HandleAsync(request, context.CancellationToken);

    public override async Task<GetPerformanceResponse> GetPerformance(
        GetPerformanceRequest request, ServerCallContext context) =>
        new() { Performances = { await measurePerformance.HandleAsync(request, context.CancellationToken) } };

    public override Task<GetPredictionsResponse> GetPredictions(GetPredictionsRequest request, ServerCallContext context) =>
        getPredictions.HandleAsync(request, context.CancellationToken);

    public override Task<ShadowComparison> CompareShadow(CompareShadowRequest request, ServerCallContext context) =>
        compareShadow.HandleAsync(request, context.CancellationToken);

    public override Task<SubmitOutcomesResponse> SubmitOutcomes(SubmitOutcomesRequest request, ServerCallContext context) =>
        submitOutcomes.HandleAsync(request.Outcomes, context.CancellationToken);

    public override async Task<GetExperimentSumsResponse> GetExperimentSums(
        GetExperimentSumsRequest request, ServerCallContext context) =>
        new() { Cells = { await sumExperiment.HandleAsync(request, context.CancellationToken) } };

    public override Task<ListExposuresResponse> ListExposures(ListExposuresRequest request, ServerCallContext context) =>
        listExposures.HandleAsync(request, context.CancellationToken);
}
