using Grpc.Core;

namespace MlOps.Inference.Models;

/// <summary>The refusal of what exists but cannot be served now: Unavailable / 503 with a stable code.</summary>
internal static class ModelUnavailable
{
    public static RpcException Because(string code, string message) =>
        new(new Status(StatusCode.Unavailable, message), new Metadata { { "mlops-code", code } });
}
