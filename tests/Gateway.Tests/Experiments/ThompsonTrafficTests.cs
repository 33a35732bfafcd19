using System.Net.Http.Json;
using System.Text.Json.Nodes;
using MlOps.Contracts.Monitoring.V1;
using MlOps.Numerics.Assignment;
using MlOps.TestServers;

namespace MlOps.Gateway.Tests.Experiments;

/// <summary>Weights that follow outcomes of real traffic.</summary>
[Collection(nameof(ExperimentPlatform))]
public sealed class ThompsonTrafficTests(ExperimentPlatform platform)
{
    [ServerFact]
    public async Task Traffic_goes_to_the_arm_that_sells_and_the_chance_of_every_assignment_is_kept()
    {
        var model = await platform.NewModelAsync("bandit");
        await platform.SendAsync(HttpMethod.Put, "/v1/experiments/bandit", new
        {
            model,
            hypothesis = "Version 2 sells more.",
            arms = new[] { new { name = "control", version = "1", weight = 0.5 }, new { name = "treatment", version = "2", weight = 0.5 } },
            primary = new { name = "basket", kind = "outcome_total", outcome = "basket", direction = "higher", absolute = 1 },
            thompson = new { interval_seconds = 2, floor = 0.1 },
        });
        await platform.SendAsync(HttpMethod.Post, "/v1/experiments/bandit/start");
        var (sent, weights) = (0, Array.Empty<double>());
        await Eventually.Async(
            async () =>
            {
                var met = await platform.AskAsync(model, Enumerable.Range(sent, 150).Select(i => $"user-{i}"));
                sent += 150;
                await platform.Monitoring.SubmitOutcomesAsync(new SubmitOutcomesRequest
                {
                    Outcomes =
                    {
                        met.Select((m, i) => new Outcome
                        {
                            Metric = "basket", Subject = m.Subject, EventId = "order", Value = (i % 7) + (m.Arm == "treatment" ? 3 : 0),
                        }),
                    },
                });
                weights = WeightsOf((await PeriodsAsync())[^1]!);
                return weights[1] > 0.8;
            },
            ExperimentPlatform.Deadline);

        var periods = await PeriodsAsync();
        Assert.InRange(periods.Count, 2, 20);
        Assert.Equal(periods.Count, periods.Select(p => p!["salt"]!.GetValue<string>()).Distinct().Count());
        Assert.All(periods.SkipLast(1), p => Assert.NotNull(p!["ends_at"]));
        // The arms that are met now are those of the salt and the weights that are noted.
        var salt = periods[^1]!["salt"]!.GetValue<string>();
        var again = await platform.AskAsync(model, Enumerable.Range(0, 60).Select(i => $"later-{i}"));
        if ((await PeriodsAsync()).Count == periods.Count)
            Assert.All(again, m => Assert.Equal(SubjectHash.Bucket(salt, m.Subject) < weights[0] ? "control" : "treatment", m.Arm));

        // An estimate takes outcomes of every arm of the period, which Monitoring joins with the predictions a little later.
        await Eventually.Async(
            async () => (await platform.Gateway.Rest.GetFromJsonAsync<JsonObject>("/v1/experiments/bandit/readout"))
                ?["primary"]?["arms"]?[1]?["unbiased"] is not null,
            ExperimentPlatform.Deadline);
        using var page = await platform.Gateway.Rest.GetAsync("/v1/experiments/bandit/report");
        Assert.Equal("text/html; charset=utf-8", page.Content.Headers.ContentType?.ToString());
        Assert.Contains("'unsafe-inline'", page.Headers.GetValues("Content-Security-Policy").Single(), StringComparison.Ordinal);
        Assert.Contains("<h2>Weights</h2>", await page.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        await platform.SendAsync(HttpMethod.Post, "/v1/experiments/bandit/stop");
        await platform.SendAsync(HttpMethod.Get, $"/v1/traffic-policies/{model}", expected: 404);

        async Task<JsonArray> PeriodsAsync() => (await platform.SendAsync(HttpMethod.Get, "/v1/experiments/bandit"))["periods"]!.AsArray();
    }

    private static double[] WeightsOf(JsonNode period) => [.. period["weights"]!.AsArray().Select(w => w!.GetValue<double>())];
}
