using MlOps.Flights.Reporting;
using MlOps.Flights.Steps;

namespace MlOps.Flights;

/// <summary>The platform's main job on real flights, from raw files to two judged model versions.</summary>
internal static class Demo
{
    public static async Task RunAsync(Platform platform, CancellationToken ct)
    {
        var folder = Path.Combine(AppContext.BaseDirectory, "data");
        var flights = Flight.ReadAll(Path.Combine(folder, "flights.csv"));
        var march = flights.Where(f => f.DepartedAt.Month == 3).ToList();
        var past = flights.Where(f => f.DepartedAt.Month < 3).ToList();
        // For the split only, which looks at no outcome: the online store stands at the end of February and knows theirs.
        var recent = past.TakeLast(1_000).ToList();
        var started = TimeProvider.System.GetUtcNow();
        var progress = new Progress(steps: 7);
        Console.WriteLine($"flight-delay: {flights.Count:N0} US flights, January to March 2001");

        var features = await progress.StepAsync("Define, ingest and materialise features", () =>
            DefineFeatures.RunAsync(platform, progress, flights, folder, ct));
        var snapshot = await progress.StepAsync("Build the training set, point in time", () =>
            BuildTrainingSet.RunAsync(platform, progress, past, ct));
        var first = await progress.StepAsync("Search 8 configurations and train", () =>
            TrainModel.RunAsync(platform, progress, snapshot.Digest, TrainModel.FirstSearch, seed: 1, ct));
        var champion = await progress.StepAsync("Register and promote", () =>
            TrainModel.PromoteAsync(platform, progress, first.ModelVersion, "first version", ct));
        await WaitUntilServedAsync(platform, first.ModelVersion, ct);
        var ways = await progress.StepAsync("Predict by keys and tensors, REST and gRPC", () =>
            PredictFourWays.RunAsync(platform, progress, [.. march.Take(25)], ct));
        var (second, split) = await progress.StepAsync("Train version 2, split traffic, change it live, roll back", async () =>
        {
            var run = await TrainModel.RunAsync(platform, progress, snapshot.Digest, TrainModel.SecondSearch, seed: 2, ct);
            return (run, await SplitTraffic.RunAsync(platform, progress, recent, first.ModelVersion, run.ModelVersion, ct));
        });
        var replay = await progress.StepAsync("Replay March, label it, watch drift and error", () =>
            ReplayMarch.RunAsync(
                platform, progress, march, first.ModelVersion, second.ModelVersion, started,
                ways.Predictions + split.Predictions, ct));

        var report = Report.Of(flights, features, snapshot, first, second, champion, ways, split, replay, progress);
        await report.SaveAsync(platform.ReportFolder, ct);
        report.Print(platform.ReportFolder);
    }

    /// <summary>An alias moves by an event; the answer carries the version, so the demo can see it arrive.</summary>
    private static async Task WaitUntilServedAsync(Platform platform, int version, CancellationToken ct)
    {
        await Traffic.EverythingToTheChampionAsync(platform, ct);
        for (var tries = 0; ; tries++)
        {
            var models = await platform.Inference.ListModelsAsync(new(), Platform.Within(10, ct));
            if (models.Models.Any(m => m.Name == TrainModel.Model && m.Version == $"{version}" && m.State == "READY")) return;
            DemoException.Unless(tries < 100, $"{TrainModel.Model} version {version} was not served within 20 s");
            await Task.Delay(200, ct);
        }
    }
}
