using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using MlOps.Gateway.Access;
using MlOps.ServiceDefaults;

namespace MlOps.Gateway.Audit;

/// <summary>The audit over REST; hashes are in hex.</summary>
internal static class AuditEndpoints
{
    public static void Map(IEndpointRouteBuilder app)
    {
        var audit = app.MapGroup("/v1/access/audit").WithTags("Access");
        audit.MapGet("", ListAsync).WithSummary("Every change asked for through the gateway, the newest first");
        audit.MapPost("verify", VerifyAsync).WithSummary("Whether no entry is missing, changed or out of place");
    }

    private static async Task<Ok<EntryList>> ListAsync(
        [FromQuery] string? model, [FromQuery] string? actor, [FromQuery] string? action, [FromQuery] DateTimeOffset? from,
        [FromQuery] DateTimeOffset? to, [FromQuery(Name = "page_size")] int? pageSize, [FromQuery(Name = "page_token")] string? pageToken,
        ListAuditEntries list, CancellationToken ct)
    {
        var page = await list.RunAsync(
            new AuditQuery(model ?? "", actor ?? "", action ?? "", from, to, pageSize ?? 0, pageToken ?? ""), ct);
        return TypedResults.Ok(new EntryList(page.Entries.Select(Answer), page.NextPageToken));
    }

    private static async Task<Ok<VerdictAnswer>> VerifyAsync(HttpRequest request, VerifyAudit verify, CancellationToken ct)
    {
        var body = await OptionalBody.ReadAsync<AnchorBody>(request, ct);
        var anchor = body?.Sequence is { } sequence and > 0 ? new AuditAnchor(sequence, HashIn(body.Hash)) : null;
        var verdict = await verify.RunAsync(anchor, ct);
        return TypedResults.Ok(new VerdictAnswer(
            verdict.IsIntact, verdict.BrokenAt, verdict.Reason, verdict.Last.Sequence, Convert.ToHexStringLower(verdict.Last.Hash)));
    }

    private static byte[] HashIn(string? hex)
    {
        var hash = new byte[32];
        return hex?.Length == 64 && Convert.FromHexString(hex, hash, out _, out _) == System.Buffers.OperationStatus.Done
            ? hash
            : throw new InvalidRequestException("ANCHOR_INVALID", [new FieldViolation("hash", "must be 64 hex digits")]);
    }

    private static EntryAnswer Answer(AuditEntry entry) => new(
        entry.Sequence, entry.Draft.At, entry.Draft.Actor, entry.Draft.Action, entry.Draft.Model, entry.Draft.Target,
        entry.Draft.Outcome, entry.Draft.Code, entry.Draft.Begun, entry.Draft.Reason, Json(entry.Draft.Before), Json(entry.Draft.After),
        entry.Draft.TraceId, Convert.ToHexStringLower(entry.PreviousHash), Convert.ToHexStringLower(entry.Hash));

    private static JsonElement? Json(string? text) => text is null ? null : JsonSerializer.Deserialize<JsonElement>(text);

    internal sealed record AnchorBody(long? Sequence, string? Hash);

    internal sealed record EntryList(IEnumerable<EntryAnswer> Entries, string NextPageToken);

    internal sealed record VerdictAnswer(bool IsIntact, long BrokenAt, string Reason, long LastSequence, string LastHash);

    internal sealed record EntryAnswer(
        long Sequence, DateTimeOffset At, string Actor, string Action, string Model, string Target, string Outcome, string Code,
        long Begun, string Reason, JsonElement? Before, JsonElement? After, string TraceId, string PreviousHash, string Hash);
}
