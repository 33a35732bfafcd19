using Grpc.Core;
using Wire = MlOps.Contracts.Gateway.V1;

namespace MlOps.Gateway.Shadows;

/// <summary><c>mlops.gateway.v1.ShadowService</c>: hands the call to its slice.</summary>
internal sealed class ShadowGrpcService(ReportShadow report) : Wire.ShadowService.ShadowServiceBase
{
    public override Task<Wire.ShadowReport> GetShadowReport(Wire.GetShadowReportRequest request, ServerCallContext context) =>
        report.RunAsync(request, context.CancellationToken);
}
