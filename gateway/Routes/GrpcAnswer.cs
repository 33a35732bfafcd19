using System.Globalization;
using Grpc.Core;

namespace MlOps.Gateway.Routes;

/// <summary>A gRPC status told without a message: the "trailers-only" answer of the gRPC over HTTP/2 protocol.</summary>
internal static class GrpcAnswer
{
    /// <summary>The field that carries the stable code of a refusal.</summary>
    public const string CodeField = "mlops-code";

    /// <summary>After how many milliseconds another try may succeed.</summary>
    public const string PushbackField = "grpc-retry-pushback-ms";

    public static bool IsGrpc(HttpRequest request) =>
        request.ContentType?.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase) == true;

    public static void Write(HttpResponse response, StatusCode status, string code, string message)
    {
        response.Clear();
        response.StatusCode = StatusCodes.Status200OK;
        response.ContentType = "application/grpc";
        foreach (var (name, value) in Fields(status, code, message)) response.Headers[name] = value;
    }

    /// <summary>Ends an answer of which messages were sent already.</summary>
    public static void Append(HttpResponse response, StatusCode status, string code, string message)
    {
        foreach (var (name, value) in Fields(status, code, message)) response.AppendTrailer(name, value);
    }

    private static (string Name, string Value)[] Fields(StatusCode status, string code, string message) =>
    [
        ("grpc-status", ((int)status).ToString(CultureInfo.InvariantCulture)),
        ("grpc-message", Uri.EscapeDataString(message)),
        (CodeField, code),
    ];
}
