using MlOps.Contracts.Monitoring.V1;

namespace MlOps.Flights.Steps;

/// <summary>
/// Step 7: March as it happened. Four times a day the online store takes what is known by then, the flights of the next
/// six hours are predicted by their keys, and the true delays follow as labels.
/// </summary>
internal static class ReplayMarch
{
    public sealed record Outcome(
        int Predictions, GetDriftResponse Drift, IReadOnlyList<Performance> Overall, IReadOnlyList<Performance> Weekly,
        long Logged, long Answered, IReadOnlyList<Point> Points);

    public sealed record Point(double Delay, double Prediction, string Version);

    public static async Task<Outcome> RunAsync(
        Platform platform, Progress progress, IReadOnlyList<Flight> march, int champion, int challenger,
        DateTimeOffset demoStarted, int answeredBefore, CancellationToken ct)
    {
        await Traffic.SplitAsync(platform, champion, challenger, 0.5, "A/B over March", ct);
        var started = TimeProvider.System.GetUtcNow();
        var answers = new List<Traffic.Answer>(march.Count);
        var week = 0;
        foreach (var quarter in march.GroupBy(f => f.DepartedAt.Ticks / TimeSpan.FromHours(6).Ticks).OrderBy(g => g.Key))
        {
            var clock = new DateTimeOffset(quarter.Key * TimeSpan.FromHours(6).Ticks, TimeSpan.Zero);
            await DefineFeatures.MaterializeAsync(platform, clock, ct, DefineFeatures.DelaysView);
            answers.AddRange(await Traffic.SendAsync(platform, [.. quarter], ct));
            if ((clock.Day - 1) / 7 > week) progress.Line($"week {++week} of March: {answers.Count:N0} flights predicted");
        }

        progress.Line($"all of March: {answers.Count:N0} flights predicted, on features up to six hours old");
        var ended = TimeProvider.System.GetUtcNow();
        // The A/B test is over: back to the champion alone.
        await Traffic.SplitAsync(platform, champion, challenger, 0, "A/B over March ended", ct);

        await LabelAsync(platform, answers, ct);
        var answered = answeredBefore + answers.Count;
        var logged = await LoggedAsync(platform, progress, demoStarted, answered, ct);

        var drift = await platform.Monitoring.GetDriftAsync(
            new GetDriftRequest
            {
                Model = TrainModel.Model,
                Version = champion,
                FromMicros = Columns.Micros(started),
                ToMicros = Columns.Micros(ended),
                AllVersions = true,
            },
            Platform.Within(60, ct));
        foreach (var f in drift.Features.OrderByDescending(f => f.Psi).Take(5))
        {
            progress.Line($"drift {f.Name,-26} PSI {f.Psi:0.0000}{(f.Kind == "numeric" ? $"  K-S {f.KsStatistic:0.0000} (p {f.KsPValue:G2})" : "")}{(f.IsDrifted ? "  drifted" : "")}");
        }

        progress.Line($"{drift.Features.Count(f => f.IsDrifted)} of {drift.Features.Count} columns drifted (PSI ≥ 0.1)");

        var overall = await PerformanceAsync(platform, march, champion, challenger, bucketSeconds: 0, ct);
        foreach (var p in overall)
        {
            progress.Line($"version {p.Version}: RMSE {p.Rmse:0.000}, MAE {p.Mae:0.000}, bias {p.Bias:+0.000;-0.000} over {p.Labelled:N0} labelled flights");
        }

        Verify(overall, answers, answered, logged);
        var weekly = await PerformanceAsync(platform, march, champion, challenger, bucketSeconds: 7 * 24 * 3600, ct);
        return new Outcome(
            answers.Count, drift, overall, weekly, logged, answered,
            [.. answers.Select(a => new Point(a.Flight.Delay, a.Prediction, a.Version))]);
    }

    private static async Task LabelAsync(Platform platform, IReadOnlyList<Traffic.Answer> answers, CancellationToken ct)
    {
        foreach (var chunk in answers.Chunk(2_000))
        {
            var labels = chunk.Select(a => new Label
            {
                PredictionId = $"{a.PredictionId}.0",
                Value = a.Flight.Delay,
                ObservedAtMicros = Columns.Micros(a.Flight.KnownAt),
            });
            await platform.Monitoring.SubmitLabelsAsync(
                new SubmitLabelsRequest { Labels = { labels } }, Platform.Within(30, ct));
        }
    }

    /// <summary>Waits until the log has caught up, then a moment longer, so that a double would show as well.</summary>
    private static async Task<long> LoggedAsync(
        Platform platform, Progress progress, DateTimeOffset since, int answered, CancellationToken ct)
    {
        var request = new WindowRequest { Model = TrainModel.Model, FromMicros = Columns.Micros(since) };
        var seen = 0L;
        for (var waited = 0; waited < 120; waited++)
        {
            var counts = await platform.Monitoring.GetPredictionCountsAsync(request, Platform.Within(30, ct));
            var before = seen;
            seen = counts.Counts.Sum(c => c.Predictions);
            if (seen > answered || (seen == answered && before == answered)) break;
            await Task.Delay(500, ct);
        }

        DemoException.Unless(seen == answered, $"{answered:N0} predictions were answered, the log holds {seen:N0}");
        progress.Line($"the prediction log holds all {seen:N0} answered predictions, each once");
        return seen;
    }

    private static async Task<IReadOnlyList<Performance>> PerformanceAsync(
        Platform platform, IReadOnlyList<Flight> march, int champion, int challenger, long bucketSeconds, CancellationToken ct)
    {
        var answer = await platform.Monitoring.GetPerformanceAsync(
            new GetPerformanceRequest
            {
                Model = TrainModel.Model,
                TimeBasis = TimeBasis.Observed,
                FromMicros = Columns.Micros(march[0].DepartedAt),
                BucketSeconds = bucketSeconds,
            },
            Platform.Within(60, ct));
        // A platform that ran the demo before holds the versions of then as well.
        return [.. answer.Performances.Where(p => p.Version == $"{champion}" || p.Version == $"{challenger}")];
    }

    // The platform's figures against the demo's own, from the answers it holds in its hands.
    private static void Verify(
        IReadOnlyList<Performance> overall, IReadOnlyList<Traffic.Answer> answers, int answered, long logged)
    {
        DemoException.Unless(answered == logged, $"{answered} answered, {logged} logged");
        foreach (var version in answers.GroupBy(a => a.Version))
        {
            var rmse = Math.Sqrt(version.Average(a => Math.Pow(a.Prediction - a.Flight.Delay, 2)));
            var reported = overall.Where(p => p.Version == version.Key).ToList();
            DemoException.Unless(
                reported.Count == 1 && Math.Abs(reported[0].Rmse - rmse) <= 1e-6 * rmse,
                $"version {version.Key}: Monitoring reports RMSE {string.Join(", ", reported.Select(r => r.Rmse))}, the answers give {rmse}");
        }
    }
}
