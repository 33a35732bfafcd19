using System.Globalization;
using MlOps.Contracts.Monitoring.V1;
using MlOps.Contracts.Registry.V1;
using MlOps.Numerics.Profiles;
using MlOps.ServiceDefaults;

namespace MlOps.Monitoring.Drift;

/// <summary>
/// Compares a version's traffic with its reference profile, every feature of the profile in its order and the output,
/// under the name "prediction", last.
/// </summary>
internal sealed class MeasureDrift(
    RegistryService.RegistryServiceClient registry, ReferenceProfiles profiles, CurrentColumns current,
    MonitoringMetrics metrics, TimeProvider time)
{
    private const string PredictionName = "prediction";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <exception cref="InvalidRequestException">WINDOW_INVALID, VERSION_INVALID</exception>
    /// <exception cref="ConflictException">PROFILE_MISSING, PROFILE_INVALID</exception>
    /// <exception cref="Grpc.Core.RpcException">NotFound: MODEL_UNKNOWN, VERSION_UNKNOWN, ALIAS_UNKNOWN.</exception>
    public async Task<GetDriftResponse> HandleAsync(GetDriftRequest request, CancellationToken ct)
    {
        var start = time.GetTimestamp();
        var window = Window.Of(request.FromMicros, request.ToMicros);
        var version = await FindVersionAsync(request, ct);
        if (version.ProfileDigest.Length == 0)
        {
            throw new ConflictException(
                "PROFILE_MISSING",
                $"Version {version.Version} of '{version.Model}' was registered without a reference profile.");
        }

        var profile = await profiles.GetAsync(version.ProfileDigest, ct);
        var traffic = await current.ReadAsync(
            request.Model, request.AllVersions ? null : version.Version.ToString(CultureInfo.InvariantCulture), window,
            profile.Features, ct);
        var response = Compare(version.Version, profile, traffic);
        metrics.DriftDuration.Record(time.GetElapsedTime(start).TotalSeconds);
        return response;
    }

    private async Task<ModelVersion> FindVersionAsync(GetDriftRequest request, CancellationToken ct)
    {
        if (request.Version < 0)
        {
            throw new InvalidRequestException(
                "VERSION_INVALID", [new FieldViolation("version", "must be a version, or 0 for the champion")]);
        }

        var selection = new GetModelVersionRequest { Model = request.Model };
        if (request.Version == 0) selection.Alias = "champion";
        else selection.Version = request.Version;
        return await registry.GetModelVersionAsync(
            selection, deadline: (time.GetUtcNow() + Patience).UtcDateTime, cancellationToken: ct);
    }

    private static GetDriftResponse Compare(int version, ReferenceProfile profile, CurrentTraffic traffic)
    {
        var response = new GetDriftResponse { Version = version, Rows = traffic.Rows };
        response.Features.AddRange(
            profile.Features.Zip(traffic.Columns, (feature, column) => FeatureComparison.Of(feature.Name, feature, column)));
        if (profile.Predictions is { } predictions)
        {
            response.Features.Add(FeatureComparison.Of(PredictionName, predictions, traffic.Predictions));
        }

        response.DriftedShare = response.Features.Count == 0
            ? 0
            : (double)response.Features.Count(f => f.IsDrifted) / response.Features.Count;
        return response;
    }
}
