using System.Globalization;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Net.Http.Headers;
using MlOps.ServiceDefaults;

namespace MlOps.Gateway.Splits;

/// <summary>Traffic policies over REST; the entity tag is the revision, and <c>If-Match</c> guards a change.</summary>
internal static class TrafficPolicyEndpoints
{
    public static void MapTrafficPolicies(this IEndpointRouteBuilder app)
    {
        var policies = app.MapGroup("/v1/traffic-policies").WithTags("Traffic policies");
        app.MapGet("/v1/policy-file", GetFile).WithTags("Traffic policies")
            .WithSummary("The policy file: what of it is in force, and everything wrong with a content that is refused");
        policies.MapGet("", (PolicyBook book) => TypedResults.Ok(new PolicyList(book.Current.Policies)))
            .WithSummary("All traffic policies in force");
        policies.MapGet("{model}", Get).WithSummary("The traffic policy of a model");
        policies.MapPut("{model}", PutAsync).WithSummary("Replaces the traffic policy of a model");
        policies.MapDelete("{model}", DeleteAsync).WithSummary("Back to the alias champion for everything");
        policies.MapGet("{model}/changes", ListChangesAsync).WithSummary("Who changed it, when, why and how; the newest first");
        policies.MapGet("{model}/assignments", GetAssignments).WithSummary("Predictions per arm since this replica started");
    }

    private static Ok<PolicyFileAnswer> GetFile(PolicyFileWatch watch, PolicyBook book)
    {
        var state = watch.State;
        if (state.Path.Length == 0)
            throw new NotFoundException("POLICY_FILE_NOT_SET", "Gateway:PolicyFile is not set; all policies are the API's.");
        return TypedResults.Ok(new PolicyFileAnswer(
            state.Path, state.Digest, state.TakenAt, state.Policies, book.Overridden,
            state.Refused is { } refused ? new RefusedAnswer(refused.Digest, refused.SeenAt, refused.Errors) : null));
    }

    private static Ok<TrafficPolicy> Get(string model, PolicyBook book, HttpResponse response) =>
        Answer(book.Get(model), response);

    private static async Task<Results<Ok<TrafficPolicy>, ProblemHttpResult>> PutAsync(
        string model, PolicyBody body, PutTrafficPolicy put, HttpContext http, CancellationToken ct)
    {
        var violations = new Violations();
        violations.AddIf(body.Model is not null && body.Model != model, "model", $"must be {model}, as in the path, or left out");
        violations.ThrowIfAny("TRAFFIC_POLICY_INVALID");

        var guard = IfMatch(http.Request);
        var wanted = new TrafficPolicy(
            model,
            [.. (body.Arms ?? []).Select(a => new PolicyArm(a?.Name ?? "", a?.Version ?? "", a?.Weight ?? double.NaN))],
            body.Salt ?? "", body.Coverage ?? 1, body.SubjectHeader ?? "", guard ?? body.Revision ?? 0, default)
        {
            SubjectInput = body.SubjectInput ?? "",
            SubjectJson = body.SubjectJson ?? "",
            Layer = body.Layer is { } layer
                ? new PolicyLayer(layer.Name ?? "", layer.Start ?? double.NaN, layer.End ?? double.NaN)
                : null,
            Shadows = [.. (body.Shadows ?? []).Select(s => new PolicyShadow(s?.Version ?? "", s?.Rate ?? double.NaN))],
        };
        try
        {
            return Answer(await put.RunAsync(wanted, body.Actor ?? "", body.Reason ?? "", ct), http.Response);
        }
        catch (ConflictException e) when (guard is not null)
        {
            return PreconditionFailed(e);
        }
    }

    private static async Task<Results<NoContent, ProblemHttpResult>> DeleteAsync(
        string model, [FromQuery] string? actor, [FromQuery] string? reason,
        DeleteTrafficPolicy delete, HttpContext http, CancellationToken ct)
    {
        var guard = IfMatch(http.Request);
        try
        {
            await delete.RunAsync(model, guard ?? 0, actor ?? "", reason ?? "", ct);
            return TypedResults.NoContent();
        }
        catch (ConflictException e) when (guard is not null)
        {
            return PreconditionFailed(e);
        }
    }

    private static async Task<Ok<PolicyChanges>> ListChangesAsync(
        string model, [FromQuery(Name = "page_size")] int? pageSize, [FromQuery(Name = "page_token")] string? pageToken,
        ListTrafficPolicyChanges changes, CancellationToken ct) =>
        TypedResults.Ok(await changes.RunAsync(model, pageSize ?? 0, pageToken ?? "", ct));

    private static Ok<AssignmentList> GetAssignments(string model, PolicyBook book, AssignmentCounts counts)
    {
        var policy = book.Current.Find(model)?.Policy;
        var found = counts.For(model, policy);
        if (policy is null && found.Count == 0) throw PolicyBook.NotFound(model);
        return TypedResults.Ok(new AssignmentList(found));
    }

    private static Ok<TrafficPolicy> Answer(TrafficPolicy policy, HttpResponse response)
    {
        // A policy of the file has no revision to guard a change by.
        if (policy.Revision > 0) response.Headers.ETag = $"\"{policy.Revision}\"";
        return TypedResults.Ok(policy);
    }

    // 412 is HTTP's own word for a failed If-Match; the same conflict without one is a 409.
    internal static ProblemHttpResult PreconditionFailed(ConflictException e) => TypedResults.Problem(
        statusCode: StatusCodes.Status412PreconditionFailed, detail: e.Message,
        extensions: new Dictionary<string, object?> { ["code"] = e.Code });

    internal static long? IfMatch(HttpRequest request)
    {
        var text = request.Headers.IfMatch.ToString();
        if (text.Length == 0) return null;
        return EntityTagHeaderValue.TryParse(text, out var tag) && !tag.IsWeak
            && long.TryParse(tag.Tag.AsSpan().Trim('"'), NumberStyles.None, CultureInfo.InvariantCulture, out var revision)
            && revision > 0
            ? revision
            : throw new InvalidRequestException(
                "IF_MATCH_INVALID", [new FieldViolation("If-Match", "must be the entity tag of an answer, e.g. \"17\"")]);
    }

    internal sealed record PolicyBody(
        string? Model, IReadOnlyList<ArmBody?>? Arms, string? Salt, double? Coverage, string? SubjectHeader, long? Revision,
        DateTimeOffset? UpdatedAt, string? Owner, string? SubjectInput, string? SubjectJson, LayerBody? Layer, IReadOnlyList<ShadowBody?>? Shadows, Guid? Rollout,
        string? Actor, string? Reason);

    internal sealed record ShadowBody(string? Version, double? Rate);

    internal sealed record LayerBody(string? Name, double? Start, double? End);

    /// <summary>Overrides are the models whose policy, stored by the API, the file's stands before.</summary>
    internal sealed record PolicyFileAnswer(
        string Path, string Sha256, DateTimeOffset TakenAt, int Policies, IReadOnlyList<string> Overrides, RefusedAnswer? Refused);

    internal sealed record RefusedAnswer(string Sha256, DateTimeOffset SeenAt, IReadOnlyList<FieldViolation> Errors);

    internal sealed record ArmBody(string? Name, string? Version, double? Weight);

    internal sealed record PolicyList(IEnumerable<TrafficPolicy> Policies);

    internal sealed record AssignmentList(IEnumerable<ArmCount> Counts);
}
