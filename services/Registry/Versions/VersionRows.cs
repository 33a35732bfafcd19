using Google.Protobuf;
using MlOps.Contracts.Registry.V1;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Registry.Versions;

/// <summary>Reads model versions whole, with the aliases that point to them.</summary>
internal static class VersionRows
{
    /// <summary>To be followed by where, order and limit over <c>v</c>.</summary>
    public const string Select =
        """
        select v.model, v.version, v.run_id, v.artifact_digest, v.signature, v.profile_digest, v.dataset_digest,
               v.feature_service, v.environment, v.metric_keys, v.metric_values, v.created_at, v.description, a.size_bytes,
               array(select alias from model_alias where model = v.model and version = v.version order by alias)
        from model_version v
        join artifact a on a.digest = v.artifact_digest

        """;

    // A field that a newer registry wrote must not stop an older replica.
    private static readonly JsonParser Parser = new(JsonParser.Settings.Default.WithIgnoreUnknownFields(true));

    public static ModelVersion Map(NpgsqlDataReader row)
    {
        var version = new ModelVersion
        {
            Model = row.GetString(0),
            Version = row.GetInt32(1),
            RunId = row.GetString(2),
            ArtifactDigest = row.GetString(3),
            Signature = Parser.Parse<Signature>(row.GetString(4)),
            ProfileDigest = row.IsDBNull(5) ? "" : row.GetString(5),
            DatasetDigest = row.GetString(6),
            FeatureService = row.GetString(7),
            Environment = { Json.ToTexts(row.GetString(8)) },
            CreatedAtMicros = row.GetMicros(11),
            Description = row.GetString(12),
            ArtifactSizeBytes = row.GetInt64(13),
            Aliases = { row.GetFieldValue<string[]>(14) },
        };
        foreach (var (key, value) in row.GetFieldValue<string[]>(9).Zip(row.GetFieldValue<double[]>(10)))
        {
            version.Metrics[key] = value;
        }

        return version;
    }

    /// <exception cref="NotFoundException">VERSION_UNKNOWN</exception>
    public static async Task<ModelVersion> ReadAsync(
        NpgsqlTransaction transaction, string model, int version, CancellationToken ct) =>
        await transaction.QueryFirstOrDefaultAsync(
            Select + "where v.model = $1 and v.version = $2", [model, version], Map, ct)
        ?? throw await Models.VersionUnknownAsync(transaction, model, version, ct);
}
