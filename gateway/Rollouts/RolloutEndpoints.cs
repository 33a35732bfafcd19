using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.HttpResults;
using MlOps.Gateway.Rollouts.Judgement;
using MlOps.Gateway.Shadows;

namespace MlOps.Gateway.Rollouts;

/// <summary>Rollouts over REST, each under its model.</summary>
internal static class RolloutEndpoints
{
    public static void Map(IEndpointRouteBuilder app)
    {
        var rollouts = app.MapGroup("/v1/rollouts").WithTags("Rollouts");
        rollouts.MapGet("", ListAsync).WithSummary("All rollouts, the newest first");
        rollouts.MapPost("{model}", StartAsync).WithSummary("Declares a rollout; it begins when those before it are over");
        rollouts.MapGet("{model}", GetAsync).WithSummary("The rollout under way, else the last one, and what happened to it");
        rollouts.MapGet("{model}/all", ListOfAsync).WithSummary("The model's rollouts, the newest first");
        rollouts.MapPost("{model}/pause", (string model, SteerBody? body, SteerRollout steer, CancellationToken ct) =>
            SteeredAsync(steer.PauseAsync(model, body?.Actor ?? "", body?.Reason ?? "", ct))).WithSummary("The weights stay as they are");
        rollouts.MapPost("{model}/resume", (string model, SteerBody? body, SteerRollout steer, CancellationToken ct) =>
            SteeredAsync(steer.ResumeAsync(model, body?.Actor ?? "", body?.Reason ?? "", ct))).WithSummary("Goes on");
        rollouts.MapPost("{model}/promote", (string model, SteerBody? body, SteerRollout steer, CancellationToken ct) =>
            SteeredAsync(steer.PromoteAsync(model, body?.Actor ?? "", body?.Reason ?? "", ct))).WithSummary("Without waiting for evidence");
        rollouts.MapPost("{model}/abort", (string model, SteerBody? body, SteerRollout steer, CancellationToken ct) =>
            SteeredAsync(steer.AbortAsync(model, body?.RolloutId, body?.Actor ?? "", body?.Reason ?? "", ct)))
            .WithSummary("Ends it; everybody is back when it answers");
        rollouts.MapPost("{model}/rollback", (string model, SteerBody? body, SteerRollout steer, CancellationToken ct) =>
            SteeredAsync(steer.RollBackAsync(model, body?.Actor ?? "", body?.Reason ?? "", ct)))
            .WithSummary("Back to the version before the last rollout, promoted or not");
    }

    private static async Task<Ok<RolloutList>> ListAsync(ListRollouts list, CancellationToken ct) =>
        TypedResults.Ok(new RolloutList((await list.RunAsync("", ct)).Select(r => RolloutAnswer.Of(r))));

    private static async Task<Ok<RolloutList>> ListOfAsync(string model, ListRollouts list, CancellationToken ct) =>
        TypedResults.Ok(new RolloutList((await list.RunAsync(model, ct)).Select(r => RolloutAnswer.Of(r))));

    private static async Task<Created<RolloutAnswer>> StartAsync(string model, StartBody body, StartRollout start, CancellationToken ct)
    {
        var rollout = await start.RunAsync(
            model, body.Version, body.Plan ?? new RolloutPlan(), RolloutSource.Api, body.Actor ?? "", body.Reason ?? "", ct);
        return TypedResults.Created($"/v1/rollouts/{model}", RolloutAnswer.Of(rollout));
    }

    private static async Task<Ok<RolloutAnswer>> GetAsync(string model, ListRollouts list, CancellationToken ct)
    {
        var rollout = await list.GetAsync(model, ct);
        return TypedResults.Ok(RolloutAnswer.Of(rollout, await list.EntriesAsync(rollout.Id, ct)));
    }

    private static async Task<Ok<RolloutAnswer>> SteeredAsync(Task<Rollout> steered) => TypedResults.Ok(RolloutAnswer.Of(await steered));

    internal sealed record StartBody(int Version, RolloutPlan? Plan, string? Actor, string? Reason);

    internal sealed record SteerBody(string? Actor, string? Reason, Guid? RolloutId);

    internal sealed record RolloutList(IEnumerable<RolloutAnswer> Rollouts);

    internal sealed record RolloutAnswer(
        Guid RolloutId, string Model, int Version, int StableVersion, string Phase, bool IsPaused, int Step, double Weight, double Coverage,
        string Message, string Source, string Actor, string Reason, DateTimeOffset CreatedAt, DateTimeOffset UpdatedAt,
        DateTimeOffset? EndedAt, RolloutPlan Plan, Findings? Findings, JsonObject? Shadow, IEnumerable<RolloutEntry>? History)
    {
        public static RolloutAnswer Of(Rollout r, IEnumerable<RolloutEntry>? history = null) => new(
            r.Id, r.Model, r.Version, r.StableVersion, r.Phase, r.IsPaused, r.State.Step, r.State.Weight, r.State.Coverage, r.State.Message,
            r.Source, r.Actor, r.Reason, r.CreatedAt, r.UpdatedAt, r.EndedAt, r.Plan, r.Findings,
            r.Shadow is { } shadow ? ShadowJson.Of(shadow) : null, history);
    }
}
