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

    // Most requests are over when this returns: those need no state machine.
    private Task GoOnAsync(HttpContext http)
    {
        Task rest;
        try
        {
            rest = next(http);
        }
        catch
        {
            gate.Leave();
            throw;
        }

        if (!rest.IsCompleted) return LeaveAfterAsync(rest);
        gate.Leave();
        return rest;
    }

    private async Task LeaveAfterAsync(Task rest)
    {
        try
        {
            await rest;
        }
        finally
        {
            gate.Leave();
        }
    }
}
