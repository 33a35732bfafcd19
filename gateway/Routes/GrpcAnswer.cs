using System.Globalization;
using Grpc.Core;

namespace MlOps.Gateway.Routes;

/// <summary>A gRPC status told without a message: the "trailers-only" answer of the gRPC over HTTP/2 protocol.</summary>
internal static class GrpcAnswer
{
    public static bool IsGrpc(HttpRequest request) =>
        request.ContentType?.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase) == true;

    public static void Write(HttpResponse response, StatusCode status, string code, string message)
    {
        response.Clear();
        response.StatusCode = StatusCodes.Status200OK;
        response.ContentType = "application/grpc";
        response.Headers["grpc-status"] = ((int)status).ToString(CultureInfo.InvariantCulture);
        response.Headers["grpc-message"] = Uri.EscapeDataString(message);
        response.Headers["mlops-code"] = code;
    }
}
