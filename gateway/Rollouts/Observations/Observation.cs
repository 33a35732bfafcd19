using System.Globalization;
using Microsoft.AspNetCore.Http.Features;

namespace MlOps.Gateway.Rollouts.Observations;

/// <summary>
/// Waits, as a feature of a request, for how it ends. A failure is every answer that is no success: with another version of
/// a model, a refused input is as much its fault as an error, and the baseline has those of clients who are at fault
/// themselves. So is one that its caller did not wait for. What was shed for want of capacity is not counted.
/// </summary>
internal sealed class Observation(ArmOutcomes arm, int slice)
{
    private const string GrpcStatus = "grpc-status";
    private const string ResourceExhausted = "8";

    public void End(HttpContext http, TimeSpan taken)
    {
        var micros = (long)taken.TotalMicroseconds;
        var response = http.Response;
        if (http.RequestAborted.IsCancellationRequested)
        {
            arm.Add(slice, micros, isFailure: true);
            return;
        }

        if (response.StatusCode == StatusCodes.Status429TooManyRequests) return;
        if (response.StatusCode != StatusCodes.Status200OK || !IsGrpc(response))
        {
            arm.Add(slice, micros, isFailure: response.StatusCode >= 400);
            return;
        }

        // Of an answer without a message it stands among the headers.
        var trailers = http.Features.Get<IHttpResponseTrailersFeature>()?.Trailers;
        if (trailers is null || !trailers.TryGetValue(GrpcStatus, out var status)) status = response.Headers[GrpcStatus];
        if (status.ToString() is ResourceExhausted) return;
        arm.Add(slice, micros, isFailure: !int.TryParse(status, NumberStyles.None, CultureInfo.InvariantCulture, out var code) || code != 0);
    }

    private static bool IsGrpc(HttpResponse response) =>
        response.ContentType?.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase) == true;
}
