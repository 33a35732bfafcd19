using Grpc.Core;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.PredictionLog;

/// <summary>The stable code of a failed request, as metrics and the prediction log name it.</summary>
internal static class FailureCode
{
    public static string Of(Exception e) => e switch
    {
        DomainException domain => domain.Code,
        RpcException rpc => rpc.Trailers.GetValue("mlops-code") ?? rpc.StatusCode.ToString().ToUpperInvariant(),
        OperationCanceledException => "CANCELLED",
        _ => "INTERNAL",
    };
}
