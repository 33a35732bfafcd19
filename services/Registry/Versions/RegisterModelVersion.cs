using Google.Protobuf;
using MlOps.Contracts.Events;
using MlOps.Contracts.Registry.V1;
using MlOps.Registry.Artifacts;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Registry.Versions;

/// <summary>
/// Makes the next version of a model, and tells of it if and only if it stands; the same run registers once, whoever asks
/// how often.
/// </summary>
internal sealed partial class RegisterModelVersion(
    NpgsqlDataSource source, Outbox outbox, RegistryMetrics metrics, TimeProvider time, ILogger<RegisterModelVersion> logger)
{
    /// <exception cref="InvalidRequestException">VERSION_INVALID, DIGEST_INVALID</exception>
    /// <exception cref="NotFoundException">ARTIFACT_UNKNOWN: the model's file or its reference profile was not uploaded.</exception>
    public async Task<ModelVersion> HandleAsync(RegisterModelVersionRequest request, CancellationToken ct)
    {
        Check(request);
        var (version, isNew) = await source.InTransactionAsync(
            async transaction =>
            {
                var latest = await LockOrMakeModelAsync(transaction, request.Model, ct);
                if (await FindByRunAsync(transaction, request, ct) is { } before) return (before, false);
                await CheckArtifactsAsync(transaction, request, ct);
                await InsertAsync(transaction, latest + 1, request, ct);
                await outbox.AddAsync(
                    transaction, new ModelVersionRegistered(request.Model, latest + 1, request.ArtifactDigest), ct);
                return (await VersionRows.ReadAsync(transaction, request.Model, latest + 1, ct), true);
            },
            ct);
        if (isNew)
        {
            metrics.VersionsRegistered.Add(1);
            LogRegistered(version.Model, version.Version, version.ArtifactDigest);
        }

        return version;
    }

    private static void Check(RegisterModelVersionRequest request)
    {
        var violations = new Violations();
        violations.CheckModel(request.Model);
        violations.CheckRunId("run_id", request.RunId);
        Signatures.Check(violations, request.Signature);
        violations.CheckText("dataset_digest", request.DatasetDigest, 250);
        violations.CheckText("feature_service", request.FeatureService, 250);
        violations.CheckText("description", request.Description, Names.MaxText);
        foreach (var (key, value) in request.Environment)
        {
            violations.CheckText("environment", key, 250);
            violations.CheckText($"environment.{key}", value, Names.MaxText);
        }

        foreach (var key in request.Metrics.Keys) violations.CheckKey("metrics", key);
        violations.ThrowIfAny("VERSION_INVALID");
        Digest.Check("artifact_digest", request.ArtifactDigest);
        if (request.ProfileDigest.Length > 0) Digest.Check("profile_digest", request.ProfileDigest);
    }

    private async Task<int> LockOrMakeModelAsync(NpgsqlTransaction transaction, string model, CancellationToken ct)
    {
        await transaction.ExecuteAsync(
            "insert into model (name, created_at) values ($1, $2) on conflict do nothing", [model, time.GetUtcNow()], ct);
        return await Models.LockAsync(transaction, model, ct);
    }

    private static async Task<ModelVersion?> FindByRunAsync(
        NpgsqlTransaction transaction, RegisterModelVersionRequest request, CancellationToken ct) =>
        request.RunId.Length == 0
            ? null
            : await transaction.QueryFirstOrDefaultAsync(
                VersionRows.Select + "where v.model = $1 and v.run_id = $2", [request.Model, request.RunId],
                VersionRows.Map, ct);

    private static async Task CheckArtifactsAsync(
        NpgsqlTransaction transaction, RegisterModelVersionRequest request, CancellationToken ct)
    {
        var needed = new[] { request.ArtifactDigest, request.ProfileDigest }.Where(d => d.Length > 0).ToArray();
        var missing = await transaction.QueryAsync(
            "select digest from unnest($1::text[]) as needed (digest) where digest not in (select digest from artifact)",
            [needed], r => r.GetString(0), ct);
        if (missing.Count > 0)
        {
            throw new NotFoundException(
                "ARTIFACT_UNKNOWN", $"Upload these first, the registry does not have them: {string.Join(", ", missing)}.");
        }
    }

    private async Task InsertAsync(
        NpgsqlTransaction transaction, int version, RegisterModelVersionRequest request, CancellationToken ct)
    {
        await transaction.ExecuteAsync("update model set latest_version = $2 where name = $1", [request.Model, version], ct);
        await transaction.ExecuteAsync(
            """
            insert into model_version (model, version, run_id, artifact_digest, profile_digest, signature, dataset_digest,
                feature_service, environment, metric_keys, metric_values, description, created_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
            """,
            [
                request.Model, version, request.RunId, request.ArtifactDigest,
                request.ProfileDigest.Length > 0 ? request.ProfileDigest : null,
                Json.Parameter(JsonFormatter.Default.Format(request.Signature)), request.DatasetDigest,
                request.FeatureService,
                Json.Parameter(request.Environment), request.Metrics.Keys.ToArray(), request.Metrics.Values.ToArray(),
                request.Description, time.GetUtcNow(),
            ],
            ct);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Registered {Model} version {Version} with {Artifact}")]
    private partial void LogRegistered(string model, int version, string artifact);
}
