using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using MlOps.Gateway.Access;
using MlOps.Gateway.Experiments.Readouts;
using MlOps.Gateway.Experiments.Reports;
using MlOps.Gateway.Splits;
using MlOps.ServiceDefaults;

namespace MlOps.Gateway.Experiments;

/// <summary>Experiments over REST; the entity tag is the revision, and <c>If-Match</c> guards a change.</summary>
internal static class ExperimentEndpoints
{
    public static void Map(IEndpointRouteBuilder app)
    {
        var experiments = app.MapGroup("/v1/experiments").WithTags("Experiments");
        experiments.MapGet("", ListAsync).WithSummary("All experiments, the newest first");
        experiments.MapGet("{name}", GetAsync).WithSummary("An experiment");
        experiments.MapPut("{name}", PutAsync).WithSummary("Declares an experiment, or replaces a draft");
        experiments.MapDelete("{name}", DeleteAsync).WithSummary("Deletes a draft");
        experiments.MapPost("{name}/start", StartAsync).WithSummary("The split begins");
        experiments.MapPost("{name}/stop", StopAsync).WithSummary("Ends it; the traffic policy from before is back when it answers");
        experiments.MapPost("{name}/decide", DecideAsync).WithSummary("Ends it; everybody gets the version of the arm");
        experiments.MapGet("{name}/readout", ReadAsync).WithSummary("What it says so far, at every look at once");
        experiments.MapGet("{name}/report", ReportAsync).WithSummary("The same as a page");
        experiments.MapGet("{name}/exposures", ExposuresAsync).WithSummary("Who met which arm first, each subject once");
    }

    private static async Task<Ok<ExperimentList>> ListAsync([FromQuery] string? model, ListExperiments list, CancellationToken ct) =>
        TypedResults.Ok(new ExperimentList(await list.RunAsync(model ?? "", ct)));

    private static async Task<Ok<Experiment>> GetAsync(string name, ListExperiments list, HttpResponse response, CancellationToken ct) =>
        Answer(await list.GetAsync(name, ct), response);

    private static Task<Results<Ok<Experiment>, ProblemHttpResult>> PutAsync(
        string name, ExperimentBody body, PutExperiment put, HttpContext http, CancellationToken ct) =>
        GuardedAsync(http, body.Revision, revision => put.RunAsync(
            name, body.Model ?? "", body.Plan(), revision, body.Actor ?? "", body.Reason ?? "", ct));

    private static async Task<Results<NoContent, ProblemHttpResult>> DeleteAsync(
        string name, [FromQuery] string? actor, [FromQuery] string? reason, PutExperiment put, HttpContext http, CancellationToken ct)
    {
        var guard = TrafficPolicyEndpoints.IfMatch(http.Request);
        try
        {
            await put.DeleteAsync(name, guard ?? 0, actor ?? "", reason ?? "", ct);
            return TypedResults.NoContent();
        }
        catch (ConflictException e) when (guard is not null)
        {
            return TrafficPolicyEndpoints.PreconditionFailed(e);
        }
    }

    private static async Task<Results<Ok<Experiment>, ProblemHttpResult>> StartAsync(
        string name, StartExperiment start, HttpContext http, CancellationToken ct)
    {
        var body = await OptionalBody.ReadAsync<SteerBody>(http.Request, ct);
        return await GuardedAsync(http, null, revision => start.RunAsync(name, revision, body?.Actor ?? "", body?.Reason ?? "", ct));
    }

    private static async Task<Results<Ok<Experiment>, ProblemHttpResult>> StopAsync(
        string name, EndExperiment end, HttpContext http, CancellationToken ct)
    {
        var body = await OptionalBody.ReadAsync<SteerBody>(http.Request, ct);
        return await GuardedAsync(http, null, revision => end.StopAsync(name, revision, body?.Actor ?? "", body?.Reason ?? "", ct));
    }

    private static Task<Results<Ok<Experiment>, ProblemHttpResult>> DecideAsync(
        string name, DecideBody body, EndExperiment end, HttpContext http, CancellationToken ct) =>
        GuardedAsync(http, null, revision => end.DecideAsync(name, body.Arm ?? "", revision, body.Actor ?? "", body.Reason ?? "", ct));

    private static async Task<Ok<ExperimentReadout>> ReadAsync(string name, ReadExperiment read, CancellationToken ct) =>
        TypedResults.Ok(await read.RunAsync(name, ct));

    private static async Task<ContentHttpResult> ReportAsync(string name, ReadExperiment read, CancellationToken ct) =>
        TypedResults.Content(ReportPage.Of(await read.RunAsync(name, ct)), "text/html; charset=utf-8");

    private static async Task<Ok<ExposureList>> ExposuresAsync(
        string name, [FromQuery(Name = "page_size")] int? pageSize, [FromQuery(Name = "page_token")] string? pageToken, ReadExperiment read,
        CancellationToken ct)
    {
        var page = await read.ExposuresAsync(name, pageSize ?? 0, pageToken ?? "", ct);
        return TypedResults.Ok(new ExposureList(
            page.Subjects.Select(s => new ExposureAnswer(
                s.SubjectHash, s.Arm, DateTimeOffset.UnixEpoch.AddTicks(s.FirstMicros * TimeSpan.TicksPerMicrosecond), s.Requests, s.HasCrossed)),
            page.NextPageToken));
    }

    private static async Task<Results<Ok<Experiment>, ProblemHttpResult>> GuardedAsync(
        HttpContext http, long? revision, Func<long, Task<Experiment>> change)
    {
        var guard = TrafficPolicyEndpoints.IfMatch(http.Request);
        try
        {
            return Answer(await change(guard ?? revision ?? 0), http.Response);
        }
        catch (ConflictException e) when (guard is not null && e.Code == "EXPERIMENT_CHANGED")
        {
            return TrafficPolicyEndpoints.PreconditionFailed(e);
        }
    }

    private static Ok<Experiment> Answer(Experiment experiment, HttpResponse response)
    {
        response.Headers.ETag = $"\"{experiment.Revision}\"";
        return TypedResults.Ok(experiment);
    }

    internal sealed record ExperimentList(IEnumerable<Experiment> Experiments);

    internal sealed record ExposureList(IEnumerable<ExposureAnswer> Exposures, string NextPageToken);

    internal sealed record ExposureAnswer(string SubjectHash, string Arm, DateTimeOffset FirstAt, long Requests, bool HasCrossed);

    internal sealed record SteerBody(string? Actor, string? Reason);

    internal sealed record DecideBody(string? Arm, string? Actor, string? Reason);
}
