using Google.Protobuf;
using Grpc.Core;
using MlOps.Gateway.Access.Keys;
using MlOps.Gateway.Audit;
using Wire = MlOps.Contracts.Gateway.V1;

namespace MlOps.Gateway.Access;

/// <summary><c>mlops.gateway.v1.AccessService</c>: translates between the wire and the slices.</summary>
internal sealed class AccessGrpcService(
    CreateApiKey create, RotateApiKey rotate, RevokeApiKey revoke, ListApiKeys list, ListAuditEntries audit, VerifyAudit verify,
    TimeProvider time)
    : Wire.AccessService.AccessServiceBase
{
    public override async Task<Wire.NewApiKey> CreateApiKey(Wire.CreateApiKeyRequest request, ServerCallContext context)
    {
        var wanted = new WantedKey(
            request.Name,
            [.. request.Grants.Select(g => new WantedGrant(g.Role, g.Models))],
            AccessTime.OfSeconds(request.LifetimeSeconds),
            request.RequestsPerSecond == 0 ? null : request.RequestsPerSecond,
            request.Burst == 0 ? null : request.Burst);
        return ToWire(await create.RunAsync(wanted, CallerOf(context), context.CancellationToken));
    }

    public override async Task<Wire.ListApiKeysResponse> ListApiKeys(Wire.ListApiKeysRequest request, ServerCallContext context)
    {
        var keys = await list.RunAsync(context.CancellationToken);
        return new Wire.ListApiKeysResponse { Keys = { keys.Select(ToWire) } };
    }

    public override async Task<Wire.NewApiKey> RotateApiKey(Wire.RotateApiKeyRequest request, ServerCallContext context)
    {
        var overlap = request.HasOverlap ? TimeSpan.Zero : (TimeSpan?)null;
        return ToWire(await rotate.RunAsync(
            request.Id, AccessTime.OfSeconds(request.OverlapSeconds) ?? overlap, CallerOf(context), context.CancellationToken));
    }

    public override async Task<Wire.ApiKey> RevokeApiKey(Wire.RevokeApiKeyRequest request, ServerCallContext context) =>
        ToWire(await revoke.RunAsync(request.Id, CallerOf(context), context.CancellationToken));

    public override Task<Wire.WhoAmIResponse> WhoAmI(Wire.WhoAmIRequest request, ServerCallContext context)
    {
        var caller = CallerOf(context);
        return Task.FromResult(new Wire.WhoAmIResponse
        {
            Name = caller.Name,
            Display = caller.Display,
            Grants = { caller.Grants.Select(ToWire) },
        });
    }

    public override async Task<Wire.ListAuditEntriesResponse> ListAuditEntries(
        Wire.ListAuditEntriesRequest request, ServerCallContext context)
    {
        var page = await audit.RunAsync(
            new AuditQuery(
                request.Model, request.Actor, request.Action, AccessTime.OfMicros(request.FromMicros), AccessTime.OfMicros(request.ToMicros),
                request.PageSize, request.PageToken),
            context.CancellationToken);
        return new Wire.ListAuditEntriesResponse { Entries = { page.Entries.Select(ToWire) }, NextPageToken = page.NextPageToken };
    }

    public override async Task<Wire.VerifyAuditResponse> VerifyAudit(Wire.VerifyAuditRequest request, ServerCallContext context)
    {
        var anchor = request.AnchorSequence == 0 ? null : new AuditAnchor(request.AnchorSequence, request.AnchorHash.ToByteArray());
        var verdict = await verify.RunAsync(anchor, context.CancellationToken);
        return new Wire.VerifyAuditResponse
        {
            IsIntact = verdict.IsIntact,
            BrokenAt = verdict.BrokenAt,
            Reason = verdict.Reason,
            LastSequence = verdict.Last.Sequence,
            LastHash = ByteString.CopyFrom(verdict.Last.Hash),
        };
    }

    private static Wire.AuditEntry ToWire(AuditEntry entry) => new()
    {
        Sequence = entry.Sequence,
        AtMicros = AccessTime.Micros(entry.Draft.At),
        Actor = entry.Draft.Actor,
        Action = entry.Draft.Action,
        Model = entry.Draft.Model,
        Target = entry.Draft.Target,
        Outcome = entry.Draft.Outcome,
        Code = entry.Draft.Code,
        Begun = entry.Draft.Begun,
        Reason = entry.Draft.Reason,
        BeforeJson = entry.Draft.Before ?? "",
        AfterJson = entry.Draft.After ?? "",
        TraceId = entry.Draft.TraceId,
        PreviousHash = ByteString.CopyFrom(entry.PreviousHash),
        Hash = ByteString.CopyFrom(entry.Hash),
    };

    private static Caller CallerOf(ServerCallContext context) => context.GetHttpContext().Caller();

    private Wire.NewApiKey ToWire(NewApiKey made) => new() { Key = ToWire(made.Key), Text = made.Text };

    private Wire.ApiKey ToWire(ApiKey key) => new()
    {
        Id = key.Id,
        Name = key.Name,
        Grants = { key.Grants.Select(ToWire) },
        RequestsPerSecond = key.RequestsPerSecond ?? 0,
        Burst = key.Burst ?? 0,
        State = key.StateAt(time.GetUtcNow()),
        CreatedAtMicros = AccessTime.Micros(key.CreatedAt),
        CreatedBy = key.CreatedBy,
        ExpiresAtMicros = AccessTime.Micros(key.ExpiresAt),
        RotatedAtMicros = AccessTime.Micros(key.RotatedAt),
        PreviousUntilMicros = AccessTime.Micros(key.PreviousUntil),
        RevokedAtMicros = AccessTime.Micros(key.RevokedAt),
        LastUsedAtMicros = AccessTime.Micros(key.LastUsedAt),
    };

    private static Wire.Grant ToWire(Grant grant) => new() { Role = grant.Role.Name, Models = grant.Models };
}
