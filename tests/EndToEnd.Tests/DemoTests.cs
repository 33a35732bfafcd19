using System.Text.Json;
using MlOps.Contracts.Registry.V1;
using MlOps.TestServers;

namespace MlOps.EndToEnd.Tests;

/// <summary>The demo's report against figures worked out here from the raw file, without the platform.</summary>
[Collection(PlatformTests.Name)]
public sealed class DemoTests(RunningPlatform platform)
{
    private static readonly Lazy<Row[]> Flights = new(() =>
        [.. File.ReadLines(Path.Combine(Repository.Root, "samples", "flights", "data", "flights.csv")).Skip(1).Select(Row.Parse)]);

    private JsonElement Report => platform.Report;

    [ServerFact]
    public void It_ends_well_and_leaves_both_reports()
    {
        Assert.Equal(0, platform.DemoExitCode);
        var page = File.ReadAllText(Path.Combine(platform.State, "demo", "report.html"));
        Assert.Contains("<svg", page, StringComparison.Ordinal);
        Assert.DoesNotContain("NaN", page, StringComparison.Ordinal);
        Assert.DoesNotContain("http", page, StringComparison.OrdinalIgnoreCase);
    }

    [ServerFact]
    public void The_training_set_holds_every_flight_of_january_and_february()
    {
        Assert.Equal(Flights.Value.Count(f => f.Month < 3), Report.GetProperty("dataset").GetProperty("training_set_rows").GetInt32());
        Assert.Matches("^sha256:[0-9a-f]{64}$", Report.GetProperty("dataset").GetProperty("digest").GetString());
    }

    [ServerFact]
    public void Eight_and_four_trials_ran_each_once()
    {
        var versions = Report.GetProperty("versions").EnumerateArray().ToArray();
        Assert.Equal([8, 4], versions.Select(v => v.GetProperty("trials").GetArrayLength()));
        Assert.All(
            versions.SelectMany(v => v.GetProperty("trials").EnumerateArray()),
            trial => Assert.Equal(1, trial.GetProperty("attempts").GetInt32()));
    }

    [ServerFact]
    public void The_baseline_of_the_mean_is_the_mean_of_the_first_part_scored_on_the_last()
    {
        // The first 70 % of the rows in time train and the last 15 % test; equal times stay on one side, so within a few rows.
        var rows = Flights.Value.Where(f => f.Month < 3).OrderBy(f => f.Time, StringComparer.Ordinal).ToArray();
        var mean = rows.Take((int)(rows.Length * 0.7)).Average(f => f.Delay);
        var expected = Math.Sqrt(rows.Skip((int)(rows.Length * 0.85)).Average(f => (f.Delay - mean) * (f.Delay - mean)));

        foreach (var version in Report.GetProperty("versions").EnumerateArray())
        {
            var reported = version.GetProperty("test").EnumerateArray().Single(s => s.GetProperty("name").GetString() == "mean");
            Assert.Equal(expected, reported.GetProperty("rmse").GetDouble(), expected * 0.01);
        }
    }

    [ServerFact]
    public async Task The_runs_behind_both_versions_tell_data_code_seed_and_environment()
    {
        var registry = new RegistryService.RegistryServiceClient(platform.Grpc);
        foreach (var version in Report.GetProperty("versions").EnumerateArray())
        {
            var run = await registry.GetRunAsync(
                new GetRunRequest { RunId = version.GetProperty("run_id").GetString() }, Requests.Within(10));
            Assert.Equal(Report.GetProperty("dataset").GetProperty("digest").GetString(), run.DatasetDigest);
            // The version of the build, which carries the commit.
            Assert.Matches("^[0-9]+[.][0-9]+[.][0-9]+", run.Tags["code_version"]);
            Assert.Contains("seed", run.Parameters.Keys.Concat(run.Tags.Keys));
            Assert.NotEmpty(run.Metrics);
        }
    }

    [ServerFact]
    public void The_exported_graph_equals_the_trainer_to_the_bit() =>
        Assert.All(
            Report.GetProperty("versions").EnumerateArray(),
            version => Assert.Equal(0, version.GetProperty("export_max_difference").GetDouble()));

    [ServerFact]
    public void Every_answered_prediction_is_logged_once_and_march_is_labelled_whole()
    {
        var log = Report.GetProperty("prediction_log");
        Assert.Equal(log.GetProperty("answered").GetInt64(), log.GetProperty("logged").GetInt64());
        var labelled = Report.GetProperty("march").EnumerateArray().Sum(p => p.GetProperty("labelled").GetInt64());
        Assert.Equal(Flights.Value.Count(f => f.Month == 3), labelled);
    }

    [ServerFact]
    public void The_split_follows_its_weights_and_the_rollback_is_complete()
    {
        var challengers = Report.GetProperty("split").EnumerateArray()
            .Select(phase => phase.GetProperty("challenger").GetInt32()).ToArray();
        // 1,000 subjects: four standard deviations around 100 and 500.
        Assert.InRange(challengers[0], 62, 138);
        Assert.InRange(challengers[1], 437, 563);
        Assert.Equal(0, challengers[2]);
    }

    [ServerFact]
    public void Drift_is_reported_for_every_input_and_the_prediction()
    {
        var features = Report.GetProperty("drift").EnumerateArray().ToArray();
        Assert.Contains(features, f => f.GetProperty("feature").GetString() == "prediction");
        Assert.Equal(14, features.Length);
        Assert.All(features, f => Assert.InRange(f.GetProperty("psi").GetDouble(), 0, 10));
        // Both months are the same days of the week and hours; distances hardly change.
        var distance = features.Single(f => f.GetProperty("feature").GetString() == "distance");
        Assert.False(distance.GetProperty("is_drifted").GetBoolean());
    }

    private sealed record Row(string Time, double Delay)
    {
        public int Month => Time[6] - '0';

        public static Row Parse(string line)
        {
            var cells = line.Split(',');
            return new Row(cells[0], double.Parse(cells[1], System.Globalization.CultureInfo.InvariantCulture));
        }
    }
}
