using System.Text.RegularExpressions;
using MlOps.Contracts.Inference.V1;
using MlOps.Inference.BatchJobs.Inputs;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.BatchJobs;

/// <summary>What a job must say to be made; whether its columns fit is found when its input is read.</summary>
internal sealed partial class BatchSpecRules(InputFolder folder, BatchConnections connections)
{
    private const int LongestSql = 100_000;

    public void Check(BatchJobSpec spec, bool isScheduled, Violations violations)
    {
        violations.AddIf(spec.Model.Length is 0 or > 255, "model", "must be named");
        violations.AddIf(spec.Version.Length > 255, "version", "must be a version number or an alias");
        CheckInput(spec, violations);
        CheckOutput(spec, violations);
        violations.AddIf(
            double.IsNaN(spec.MaxBadShare) || spec.MaxBadShare is < 0 or > 1, "max_bad_share", "must be 0 to 1");
        violations.AddIf(
            spec.KeepColumns.Count > 1_000 || spec.KeepColumns.Distinct().Count() != spec.KeepColumns.Count,
            "keep_columns", "must be at most 1,000 and each only once");
        violations.AddIf(
            spec.Log is { Mode: PredictionLogging.Types.Mode.Sampled, Rate: var rate } && !(rate > 0 && rate < 1),
            "log.rate", "must lie between 0 and 1");
        violations.AddIf(
            spec.PastFeatures is { TimeCase: PastFeatures.TimeOneofCase.None }, "past_features", "must say as of when");
        violations.AddIf(
            spec.PastFeatures is { TimeCase: PastFeatures.TimeOneofCase.AsOfMicros, AsOfMicros: <= 0 },
            "past_features.as_of_micros", "must be a time after 1970");
        violations.AddIf(
            spec.PastFeatures?.TimeCase == PastFeatures.TimeOneofCase.AsOfSchedule && !isScheduled,
            "past_features.as_of_schedule", "is for scheduled jobs");
    }

    private void CheckInput(BatchJobSpec spec, Violations violations)
    {
        switch (spec.InputCase)
        {
            case BatchJobSpec.InputOneofCase.InputDigest:
                violations.AddIf(!Digest().IsMatch(spec.InputDigest), "input_digest", "must be 'sha256:' and 64 hex digits");
                break;
            case BatchJobSpec.InputOneofCase.SnapshotDigest:
                violations.AddIf(!Digest().IsMatch(spec.SnapshotDigest), "snapshot_digest", "must be 'sha256:' and 64 hex digits");
                break;
            case BatchJobSpec.InputOneofCase.File:
                violations.AddIf(!folder.IsOpen, "file", "cannot be read: Inference:Batch:InputFolder is not set");
                violations.AddIf(spec.File.Path.Length is 0 or > 1_000, "file.path", "must be given");
                violations.AddIf(TextFormats.Of(spec.File.Format) is null, "file.format", "must be CSV or JSON lines");
                break;
            case BatchJobSpec.InputOneofCase.Query:
                violations.AddIf(!connections.IsKnown(spec.Query.Connection), "query.connection", "is not configured in Inference:Batch:Connections");
                violations.AddIf(spec.Query.Sql.Trim().Length == 0 || spec.Query.Sql.Length > LongestSql, "query.sql", $"must have 1 to {LongestSql} characters");
                violations.AddIf(spec.Query.Sql.Contains('\0'), "query.sql", "must not hold NUL");
                break;
            default:
                violations.Add("input", "must be given: input_digest, file, snapshot_digest or query");
                break;
        }
    }

    private void CheckOutput(BatchJobSpec spec, Violations violations)
    {
        violations.AddIf(
            spec.OutputCase == BatchJobSpec.OutputOneofCase.FileFormat && TextFormats.Of(spec.FileFormat) is null,
            "file_format", "must be CSV or JSON lines");
        if (spec.OutputCase != BatchJobSpec.OutputOneofCase.Table) return;
        violations.AddIf(!connections.IsKnown(spec.Table.Connection), "table.connection", "is not configured in Inference:Batch:Connections");
        violations.AddIf(
            connections.IsKnown(spec.Table.Connection) && !connections.IsWritable(spec.Table.Connection),
            "table.connection", "is not configured as writable");
        violations.AddIf(!TableName().IsMatch(spec.Table.Table), "table.table", "must be 'table' or 'schema.table', of a-z, 0-9 and _, each at most 40 long");
        violations.AddIf(!Enum.IsDefined(spec.Table.Mode), "table.mode", "is not known");
    }

    [GeneratedRegex("^sha256:[0-9a-f]{64}$")]
    private static partial Regex Digest();

    [GeneratedRegex("^([a-z_][a-z0-9_]{0,39}\\.)?[a-z_][a-z0-9_]{0,39}$")]
    private static partial Regex TableName();
}
