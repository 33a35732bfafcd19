using System.Text.Json;
using Google.Protobuf;
using MlOps.Contracts.Training.V1;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Training.Runs;

/// <summary>Reads training runs and their trials in the form of the contract.</summary>
internal static class TrainingRunRows
{
    private const string RunColumns =
        """
        id, pipeline, state, best_trial, model_version, score, baselines, export_max_difference,
        training_rows, validation_rows, test_rows, failure, created_at, finished_at
        """;

    private static readonly JsonParser Parser = new(JsonParser.Settings.Default.WithIgnoreUnknownFields(true));

    internal static async Task<TrainingRun?> FindAsync(NpgsqlDataSource source, Guid id, CancellationToken ct) =>
        (await WithTrialsAsync(
            source,
            await source.QueryAsync($"select {RunColumns} from training_runs where id = $1", [id], MapRun, ct), ct))
        .FirstOrDefault();

    /// <exception cref="NotFoundException">TRAINING_RUN_UNKNOWN.</exception>
    internal static async Task<TrainingRun> GetAsync(NpgsqlDataSource source, string id, CancellationToken ct) =>
        (Guid.TryParse(id, out var guid) ? await FindAsync(source, guid, ct) : null) ?? throw Unknown(id);

    internal static NotFoundException Unknown(string id) =>
        new("TRAINING_RUN_UNKNOWN", $"There is no training run '{id}'.");

    internal static async Task<IReadOnlyList<TrainingRun>> ListAsync(
        NpgsqlDataSource source, string model, int limit, CancellationToken ct) =>
        await WithTrialsAsync(
            source,
            await source.QueryAsync(
                $"""
                select {RunColumns} from training_runs where $1 = '' or model = $1
                order by created_at desc, id limit $2
                """,
                [model, limit], MapRun, ct),
            ct);

    private static async Task<List<TrainingRun>> WithTrialsAsync(
        NpgsqlDataSource source, List<TrainingRun> runs, CancellationToken ct)
    {
        if (runs.Count == 0) return runs;
        var byId = runs.ToDictionary(run => Guid.Parse(run.TrainingRunId));
        await source.QueryAsync(
            """
            select training_run_id, number, registry_run_id, state, parameters, attempts, validation_rmse, best_round,
                   duration_seconds, failure
            from trials where training_run_id = any($1) order by training_run_id, number
            """,
            [byId.Keys.ToArray()],
            row =>
            {
                byId[row.GetGuid(0)].Trials.Add(MapTrial(row));
                return 0;
            },
            ct);
        return runs;
    }

    private static TrainingRun MapRun(NpgsqlDataReader row)
    {
        var run = new TrainingRun
        {
            TrainingRunId = row.GetGuid(0).ToString("N"),
            Pipeline = ParsePipeline(row.GetString(1)),
            State = StateOf(row.GetString(2)),
            BestTrial = row.IsDBNull(3) ? 0 : row.GetInt32(3),
            ModelVersion = row.IsDBNull(4) ? 0 : row.GetInt32(4),
            Score = row.IsDBNull(5) ? null : Parser.Parse<Score>(row.GetString(5)),
            ExportMaxDifference = row.IsDBNull(7) ? 0 : row.GetDouble(7),
            TrainingRows = row.IsDBNull(8) ? 0 : row.GetInt64(8),
            ValidationRows = row.IsDBNull(9) ? 0 : row.GetInt64(9),
            TestRows = row.IsDBNull(10) ? 0 : row.GetInt64(10),
            Failure = row.IsDBNull(11) ? "" : row.GetString(11),
            CreatedAtMicros = Micros(row.GetFieldValue<DateTimeOffset>(12)),
            FinishedAtMicros = row.IsDBNull(13) ? 0 : Micros(row.GetFieldValue<DateTimeOffset>(13)),
        };
        foreach (var baseline in JsonDocument.Parse(row.GetString(6)).RootElement.EnumerateArray())
            run.Baselines.Add(Parser.Parse<Score>(baseline.GetRawText()));
        return run;
    }

    private static Trial MapTrial(NpgsqlDataReader row)
    {
        var trial = new Trial
        {
            Number = row.GetInt32(1),
            RunId = row.GetString(2),
            State = row.GetString(3) switch
            {
                "queued" => Trial.Types.State.Queued,
                "running" => Trial.Types.State.Running,
                "completed" => Trial.Types.State.Completed,
                _ => Trial.Types.State.Failed,
            },
            Attempts = row.GetInt32(5),
            ValidationRmse = row.IsDBNull(6) ? 0 : row.GetDouble(6),
            BestRound = row.IsDBNull(7) ? 0 : row.GetInt32(7),
            DurationSeconds = row.IsDBNull(8) ? 0 : row.GetDouble(8),
            Failure = row.IsDBNull(9) ? "" : row.GetString(9),
        };
        trial.Parameters.Add(ParseParameters(row.GetString(4)));
        return trial;
    }

    internal static Pipeline ParsePipeline(string json) => Parser.Parse<Pipeline>(json);

    internal static Dictionary<string, string> ParseParameters(string json) =>
        JsonSerializer.Deserialize<Dictionary<string, string>>(json) ?? [];

    internal static string ToJson(IMessage message) => JsonFormatter.Default.Format(message);

    internal static string ToJson(IEnumerable<Score> scores) => $"[{string.Join(',', scores.Select(ToJson))}]";

    internal static long Micros(DateTimeOffset time) => (time.UtcTicks - DateTimeOffset.UnixEpoch.UtcTicks) / TimeSpan.TicksPerMicrosecond;

    private static TrainingRun.Types.State StateOf(string state) => state switch
    {
        "queued" => TrainingRun.Types.State.Queued,
        "running" => TrainingRun.Types.State.Running,
        "completed" => TrainingRun.Types.State.Completed,
        "failed" => TrainingRun.Types.State.Failed,
        _ => TrainingRun.Types.State.Cancelled,
    };

    /// <summary>True when the run has ended and changes no more.</summary>
    internal static bool HasEnded(this TrainingRun run) => run.State
        is TrainingRun.Types.State.Completed or TrainingRun.Types.State.Failed or TrainingRun.Types.State.Cancelled;
}
