using MlOps.Inference.Predictions;

namespace MlOps.Inference.Admission;

/// <summary>Asks the gate before anything of a prediction's request is read.</summary>
internal sealed class AdmissionMiddleware(RequestDelegate next, RequestGate gate, IProblemDetailsService problems)
{
    public Task InvokeAsync(HttpContext http)
    {
        if (http.GetEndpoint()?.Metadata.GetMetadata<PredictsAttribute>() is null) return next(http);
        return gate.TryEnter(Call.TierOf(http.Request)) ? GoOnAsync(http) : Overload.RefuseAsync(http, problems);
    }

    private async Task GoOnAsync(HttpContext http)
    {
        try
        {
            await next(http);
        }
        finally
        {
            gate.Leave();
        }
    }
}
