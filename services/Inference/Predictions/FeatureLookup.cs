using Grpc.Core;
using Microsoft.Extensions.Options;
using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Tables.V1;
using MlOps.Inference.Models;

namespace MlOps.Inference.Predictions;

/// <summary>Asks the online store for the features of all rows of a request in one call, within a deadline.</summary>
internal sealed class FeatureLookup(
    FeatureStoreService.FeatureStoreServiceClient store, IOptions<InferenceOptions> options, TimeProvider time)
{
    /// <exception cref="RpcException">The store's own words; Unavailable when it is away or silent for too long.</exception>
    public async Task<GetOnlineFeaturesResponse> FetchAsync(string featureService, Table rows, int count, CancellationToken ct)
    {
        GetOnlineFeaturesResponse answer;
        try
        {
            answer = await store.GetOnlineFeaturesAsync(
                new GetOnlineFeaturesRequest { FeatureService = featureService, Entities = rows },
                deadline: (time.GetUtcNow() + options.Value.FeatureTimeout).UtcDateTime, cancellationToken: ct);
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.Unavailable
            // The time that ran out is this service's own: a caller who gave up has cancelled.
            || (e.StatusCode == StatusCode.DeadlineExceeded && !ct.IsCancellationRequested))
        {
            throw ModelUnavailable.Because(
                "FEATURES_UNAVAILABLE", $"Features of '{featureService}' cannot be looked up now: {e.Status.Detail}");
        }

        if (!IsWhole(answer, count))
        {
            throw ModelUnavailable.Because(
                "FEATURES_UNAVAILABLE", $"The answer of the feature store for '{featureService}' does not have {count} rows.");
        }

        return answer;
    }

    public static string WordFor(FeatureStatus status) => status switch
    {
        FeatureStatus.Present => "PRESENT",
        FeatureStatus.NullValue => "NULL_VALUE",
        FeatureStatus.NotFound => "NOT_FOUND",
        FeatureStatus.OutsideMaxAge => "OUTSIDE_MAX_AGE",
        _ => "UNSPECIFIED",
    };

    private static bool IsWhole(GetOnlineFeaturesResponse answer, int count)
    {
        if (answer.Features is null || answer.Statuses.Count != answer.Features.Columns.Count) return false;
        for (var i = 0; i < answer.Statuses.Count; i++)
        {
            if (answer.Statuses[i].Statuses.Count != count || Columns.CountOf(answer.Features.Columns[i]) != count) return false;
        }

        return true;
    }
}
