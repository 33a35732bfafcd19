using Microsoft.AspNetCore.Http.HttpResults;
using MlOps.Gateway.Access.Keys;

namespace MlOps.Gateway.Access;

/// <summary>API keys over REST.</summary>
internal static class AccessEndpoints
{
    public static void Map(IEndpointRouteBuilder app)
    {
        var access = app.MapGroup("/v1/access").WithTags("Access");
        access.MapGet("me", WhoAmI).WithSummary("Who the gateway takes you for, and what you may do");
        access.MapGet("keys", ListAsync).WithSummary("Every key ever made, without their texts");
        access.MapPost("keys", CreateAsync).WithSummary("Makes a key; its text is in this answer and nowhere else");
        access.MapPost("keys/{id}/rotate", RotateAsync).WithSummary("A new secret; the old one stays good for the overlap");
        access.MapDelete("keys/{id}", RevokeAsync).WithSummary("The key opens nothing any more");
    }

    private static Ok<CallerAnswer> WhoAmI(HttpContext http)
    {
        var caller = http.Caller();
        return TypedResults.Ok(new CallerAnswer(caller.Name, caller.Display, caller.Grants.Select(GrantBody.Of)));
    }

    private static async Task<Ok<KeyList>> ListAsync(ListApiKeys list, TimeProvider time, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        return TypedResults.Ok(new KeyList((await list.RunAsync(ct)).Select(k => KeyAnswer.Of(k, now))));
    }

    private static async Task<Created<NewKeyAnswer>> CreateAsync(
        CreateBody body, CreateApiKey create, HttpContext http, TimeProvider time, CancellationToken ct)
    {
        var wanted = new WantedKey(
            body.Name ?? "", [.. (body.Grants ?? []).Select(g => new WantedGrant(g?.Role ?? "", g?.Models ?? ""))],
            AccessTime.OfSeconds(body.LifetimeSeconds ?? 0),
            body.RequestsPerSecond is 0 ? null : body.RequestsPerSecond, body.Burst is 0 ? null : body.Burst);
        var made = await create.RunAsync(wanted, http.Caller(), ct);
        return TypedResults.Created($"/v1/access/keys/{made.Key.Id}", Answer(made, http, time));
    }

    private static async Task<Ok<NewKeyAnswer>> RotateAsync(
        string id, RotateApiKey rotate, HttpContext http, TimeProvider time, CancellationToken ct)
    {
        var body = await OptionalBody.ReadAsync<RotateBody>(http.Request, ct);
        var overlap = body?.OverlapSeconds is { } seconds ? AccessTime.OfSeconds(seconds) ?? TimeSpan.Zero : (TimeSpan?)null;
        return TypedResults.Ok(Answer(await rotate.RunAsync(id, overlap, http.Caller(), ct), http, time));
    }

    private static async Task<Ok<KeyAnswer>> RevokeAsync(
        string id, RevokeApiKey revoke, HttpContext http, TimeProvider time, CancellationToken ct) =>
        TypedResults.Ok(KeyAnswer.Of(await revoke.RunAsync(id, http.Caller(), ct), time.GetUtcNow()));

    private static NewKeyAnswer Answer(NewApiKey made, HttpContext http, TimeProvider time)
    {
        http.Response.Headers.CacheControl = "no-store";
        return new NewKeyAnswer(KeyAnswer.Of(made.Key, time.GetUtcNow()), made.Text);
    }

    internal sealed record GrantBody(string? Role, string? Models)
    {
        public static GrantBody Of(Grant grant) => new(grant.Role.Name, grant.Models);
    }

    internal sealed record CreateBody(
        string? Name, IReadOnlyList<GrantBody?>? Grants, long? LifetimeSeconds, double? RequestsPerSecond, int? Burst);

    internal sealed record RotateBody(long? OverlapSeconds);

    internal sealed record CallerAnswer(string Name, string Display, IEnumerable<GrantBody> Grants);

    internal sealed record KeyList(IEnumerable<KeyAnswer> Keys);

    internal sealed record NewKeyAnswer(KeyAnswer Key, string Text);

    internal sealed record KeyAnswer(
        string Id, string Name, IEnumerable<GrantBody> Grants, double? RequestsPerSecond, int? Burst, string State,
        DateTimeOffset CreatedAt, string CreatedBy, DateTimeOffset ExpiresAt, DateTimeOffset? RotatedAt,
        DateTimeOffset? PreviousUntil, DateTimeOffset? RevokedAt, DateTimeOffset? LastUsedAt)
    {
        public static KeyAnswer Of(ApiKey key, DateTimeOffset now) => new(
            key.Id, key.Name, key.Grants.Select(GrantBody.Of), key.RequestsPerSecond, key.Burst, key.StateAt(now),
            key.CreatedAt, key.CreatedBy, key.ExpiresAt, key.RotatedAt, key.PreviousUntil, key.RevokedAt, key.LastUsedAt);
    }
}
