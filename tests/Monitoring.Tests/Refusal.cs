using Grpc.Core;

namespace MlOps.Monitoring.Tests;

/// <summary>A call that must be refused in a known way.</summary>
internal static class Refusal
{
    /// <summary>Fails unless the call is refused with this status and code; answers the words it was refused with.</summary>
    public static async Task<string> OfAsync(Func<Task> call, StatusCode status, string code)
    {
        var refusal = await Assert.ThrowsAsync<RpcException>(call);
        Assert.Equal((status, code), (refusal.StatusCode, refusal.Trailers.GetValue("mlops-code")));
        return refusal.Status.Detail;
    }
}
