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
        if (IsFailure(http) is { } isFailure) arm.Add(slice, (long)taken.TotalMicroseconds, isFailure);
    }

    /// <summary>Whether the caller got no success; null: it was shed.</summary>
    public static bool? IsFailure(HttpContext http)
    {
        if (http.RequestAborted.IsCancellationRequested) return true;
        var response = http.Response;
        if (response.StatusCode == StatusCodes.Status429TooManyRequests) return null;
        if (response.StatusCode != StatusCodes.Status200OK || !IsGrpc(response)) return response.StatusCode >= 400;
        // Of an answer without a message it stands among the headers.
        var trailers = http.Features.Get<IHttpResponseTrailersFeature>()?.Trailers;
        if (trailers is null || !trailers.TryGetValue(GrpcStatus, out var status)) status = response.Headers[GrpcStatus];
        if (status.ToString() is ResourceExhausted) return null;
        return !int.TryParse(status, NumberStyles.None, CultureInfo.InvariantCulture, out var code) || code != 0;
    }

    private static bool IsGrpc(HttpResponse response) =>
        response.ContentType?.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase) == true;
}
