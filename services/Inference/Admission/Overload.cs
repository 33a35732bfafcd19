using System.Globalization;
using Grpc.Core;

namespace MlOps.Inference.Admission;

/// <summary>
/// The refusal of what is too much: RESOURCE_EXHAUSTED / 429 with the code OVERLOADED and when to come again. It is written
/// without an exception, which would cost more than most answers.
/// </summary>
internal static class Overload
{
    public const string Code = "OVERLOADED";
    private const string Message = "This replica has more requests than it keeps up with; try again later.";
    private static readonly TimeSpan ComeAgain = TimeSpan.FromSeconds(1);

    /// <summary>For refusals within a call.</summary>
    public static RpcException Because(string message) =>
        new(new Status(StatusCode.ResourceExhausted, message), new Metadata { { "mlops-code", Code } });

    public static RpcException Refusal => Because(Message);

    public static Task RefuseAsync(HttpContext http, IProblemDetailsService problems)
    {
        var response = http.Response;
        response.Headers["mlops-code"] = Code;
        response.Headers.RetryAfter = ComeAgain.TotalSeconds.ToString(CultureInfo.InvariantCulture);
        if (http.Request.ContentType?.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase) == true)
        {
            // A status without a message: the "trailers-only" answer of gRPC over HTTP/2.
            response.ContentType = "application/grpc";
            response.Headers["grpc-status"] = ((int)StatusCode.ResourceExhausted).ToString(CultureInfo.InvariantCulture);
            response.Headers["grpc-message"] = Uri.EscapeDataString(Message);
            return Task.CompletedTask;
        }

        response.StatusCode = StatusCodes.Status429TooManyRequests;
        return problems.TryWriteAsync(new ProblemDetailsContext
        {
            HttpContext = http,
            ProblemDetails = { Status = response.StatusCode, Detail = Message, Extensions = { ["code"] = Code } },
        }).AsTask();
    }
}
