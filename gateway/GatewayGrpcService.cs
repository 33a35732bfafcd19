using Grpc.Core;
using MlOps.Gateway.Splits;
using Wire = MlOps.Contracts.Gateway.V1;

namespace MlOps.Gateway;

/// <summary><c>mlops.gateway.v1</c>: translates between the wire and the slices.</summary>
internal sealed class GatewayGrpcService(
    PolicyBook book, AssignmentCounts counts, PutTrafficPolicy put, DeleteTrafficPolicy delete, ListTrafficPolicyChanges changes)
    : Wire.GatewayService.GatewayServiceBase
{
    public override async Task<Wire.TrafficPolicy> PutTrafficPolicy(
        Wire.PutTrafficPolicyRequest request, ServerCallContext context) =>
        PolicyWire.ToWire(await put.RunAsync(
            PolicyWire.FromWire(request.Policy ?? new Wire.TrafficPolicy()), request.Actor, request.Reason, context.CancellationToken));

    public override Task<Wire.TrafficPolicy> GetTrafficPolicy(Wire.GetTrafficPolicyRequest request, ServerCallContext context) =>
        Task.FromResult(PolicyWire.ToWire(book.Get(request.Model)));

    public override Task<Wire.ListTrafficPoliciesResponse> ListTrafficPolicies(
        Wire.ListTrafficPoliciesRequest request, ServerCallContext context) =>
        Task.FromResult(new Wire.ListTrafficPoliciesResponse
        {
            Policies = { book.Current.Policies.Select(PolicyWire.ToWire) },
            Holdout = new Wire.Holdout { Salt = book.Holdout.Salt, Share = book.Holdout.Share },
        });

    public override async Task<Wire.DeleteTrafficPolicyResponse> DeleteTrafficPolicy(
        Wire.DeleteTrafficPolicyRequest request, ServerCallContext context)
    {
        await delete.RunAsync(request.Model, expected: 0, request.Actor, request.Reason, context.CancellationToken);
        return new Wire.DeleteTrafficPolicyResponse();
    }

    public override async Task<Wire.ListTrafficPolicyChangesResponse> ListTrafficPolicyChanges(
        Wire.ListTrafficPolicyChangesRequest request, ServerCallContext context)
    {
        var page = await changes.RunAsync(request.Model, request.PageSize, request.PageToken, context.CancellationToken);
        return new Wire.ListTrafficPolicyChangesResponse
        {
            Changes = { page.Changes.Select(PolicyWire.ToWire) },
            NextPageToken = page.NextPageToken,
        };
    }

    public override Task<Wire.GetAssignmentsResponse> GetAssignments(
        Wire.GetAssignmentsRequest request, ServerCallContext context)
    {
        var policy = book.Current.Find(request.Model)?.Policy;
        var found = counts.For(request.Model, policy);
        if (policy is null && found.Count == 0) throw PolicyBook.NotFound(request.Model);
        return Task.FromResult(new Wire.GetAssignmentsResponse
        {
            Counts =
            {
                found.Select(c => new Wire.GetAssignmentsResponse.Types.Count
                {
                    Arm = c.Arm,
                    Version = c.Version,
                    Requests = c.Requests,
                    Outside = c.Outside,
                    HeldOut = c.HeldOut,
                    Forced = c.Forced,
                }),
            },
        });
    }
}
