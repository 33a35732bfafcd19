using Grpc.Core;
using MlOps.Contracts.Registry.V1;
using MlOps.ServiceDefaults;
using MlOps.TestServers;
using static MlOps.Registry.Tests.RegistryFixture;

namespace MlOps.Registry.Tests;

[Collection(nameof(RegistryFixture))]
public sealed class RunTests(RegistryFixture registry)
{
    private RegistryService.RegistryServiceClient Client => registry.Client;

    [ServerFact]
    public async Task A_run_keeps_its_parameters_tags_and_newest_metrics()
    {
        var parent = NewRunId();
        var run = await Client.CreateRunAsync(new CreateRunRequest
        {
            Experiment = "delays",
            Name = "trial 3",
            ParentRunId = parent,
            DatasetDigest = "sha256:1",
            Parameters = { ["max_depth"] = "6" },
            Tags = { ["worker"] = "a" },
        });
        await Client.LogBatchAsync(new LogBatchRequest
        {
            RunId = run.RunId,
            Metrics =
            {
                Point("rmse", 9, step: 2, time: 1), Point("rmse", 30, step: 1, time: 9),
                Point("tie", 1, step: 1, time: 5), Point("tie", 0, step: 1, time: 6), Point("tie", -4, step: 1, time: 6),
                Point("lost", double.NaN, step: 1, time: 1), Point("wide", double.PositiveInfinity, step: 0, time: 1),
            },
            Parameters = { ["eta"] = "0.1" },
            Tags = { ["worker"] = "b" },
        });

        var kept = await Client.GetRunAsync(new GetRunRequest { RunId = run.RunId });

        Assert.Matches("^[0-9a-f]{32}$", run.RunId);
        Assert.Equal(
            ("delays", "trial 3", parent, "sha256:1", 1, Run.Types.Status.Running, 0L),
            (kept.Experiment, kept.Name, kept.ParentRunId, kept.DatasetDigest, kept.Attempt, kept.Status, kept.EndTimeMicros));
        Assert.True(kept.StartTimeMicros > 0);
        Assert.Equal(new Dictionary<string, string> { ["max_depth"] = "6", ["eta"] = "0.1" }, kept.Parameters);
        Assert.Equal(new Dictionary<string, string> { ["worker"] = "b" }, kept.Tags);
        Assert.Equal(
            new Dictionary<string, double> { ["rmse"] = 9, ["tie"] = 0, ["lost"] = double.NaN, ["wide"] = double.PositiveInfinity },
            kept.Metrics);
    }

    [ServerFact]
    public async Task An_unfinished_run_starts_again_without_the_metrics_of_the_earlier_attempt()
    {
        var request = new CreateRunRequest { RunId = NewRunId(), Experiment = "delays", Parameters = { ["eta"] = "0.1" } };
        await Client.CreateRunAsync(request);
        await Client.LogBatchAsync(new LogBatchRequest { RunId = request.RunId, Metrics = { Point("rmse", 9, 50, 1) } });

        var again = await Client.CreateRunAsync(request);

        Assert.Equal(2, again.Attempt);
        Assert.Empty(again.Metrics);
        Assert.Equal("0.1", again.Parameters["eta"]);
    }

    [ServerFact]
    public async Task Callers_that_create_the_same_run_at_once_make_one()
    {
        var request = new CreateRunRequest { RunId = NewRunId(), Experiment = "delays" };

        var runs = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Client.CreateRunAsync(request).ResponseAsync));

        Assert.Equal(Enumerable.Range(1, 8), runs.Select(r => r.Attempt).Order());
    }

    [ServerFact]
    public async Task A_run_that_has_ended_neither_starts_again_nor_takes_metrics()
    {
        var request = new CreateRunRequest { RunId = NewRunId(), Experiment = "delays" };
        await Client.CreateRunAsync(request);
        var finish = new FinishRunRequest { RunId = request.RunId, Status = Run.Types.Status.Failed, Failure = "out of memory" };
        var ended = await Client.FinishRunAsync(finish);

        Assert.Equal(ended, await Client.FinishRunAsync(finish));
        Assert.Equal("out of memory", ended.Failure);
        Assert.True(ended.EndTimeMicros >= ended.StartTimeMicros);
        await Refusal.OfAsync(() => Client.CreateRunAsync(request).ResponseAsync, StatusCode.FailedPrecondition, "RUN_FINISHED");
        finish.Status = Run.Types.Status.Finished;
        await Refusal.OfAsync(() => Client.FinishRunAsync(finish).ResponseAsync, StatusCode.FailedPrecondition, "RUN_FINISHED");
        var late = new LogBatchRequest { RunId = request.RunId, Metrics = { Point("rmse", 9, 50, 1) } };
        await Refusal.OfAsync(() => Client.LogBatchAsync(late).ResponseAsync, StatusCode.FailedPrecondition, "RUN_FINISHED");
        await Client.LogBatchAsync(new LogBatchRequest { RunId = request.RunId, Tags = { ["note"] = "looked at" } });
    }

    [ServerFact]
    public async Task A_run_id_names_one_run_for_good()
    {
        var request = new CreateRunRequest { RunId = NewRunId(), Experiment = "delays", DatasetDigest = "sha256:1" };
        await Client.CreateRunAsync(request);

        request.DatasetDigest = "sha256:2";

        await Refusal.OfAsync(() => Client.CreateRunAsync(request).ResponseAsync, StatusCode.FailedPrecondition, "RUN_ID_TAKEN");
    }

    [ServerFact]
    public async Task A_changed_parameter_refuses_the_whole_batch()
    {
        var run = await Client.CreateRunAsync(new CreateRunRequest { Experiment = "delays", Parameters = { ["eta"] = "0.1" } });
        await Client.LogBatchAsync(new LogBatchRequest { RunId = run.RunId, Parameters = { ["eta"] = "0.1" } });

        var words = await Refusal.OfAsync(
            () => Client.LogBatchAsync(new LogBatchRequest
            {
                RunId = run.RunId,
                Parameters = { ["eta"] = "0.2", ["depth"] = "3" },
                Metrics = { Point("rmse", 1, 1, 1) },
            }).ResponseAsync,
            StatusCode.InvalidArgument, "PARAMETER_CHANGED");

        Assert.Contains("'0.1'", words, StringComparison.Ordinal);
        Assert.Equal(run, await Client.GetRunAsync(new GetRunRequest { RunId = run.RunId }));
    }

    [ServerFact]
    public async Task A_repeated_batch_keeps_each_point_once()
    {
        var run = await Client.CreateRunAsync(new CreateRunRequest { Experiment = "delays" });
        var batch = new LogBatchRequest { RunId = run.RunId };
        batch.Metrics.AddRange(Enumerable.Range(0, 1000).Select(i => Point("rmse", i % 7 == 0 ? double.NaN : i, i, 1)));

        await Client.LogBatchAsync(batch);
        await Client.LogBatchAsync(batch);

        Assert.Equal([1000L], await registry.Database.QueryAsync(
            "select count(*) from run_metric where run_id = $1", [run.RunId], r => r.GetInt64(0), CancellationToken.None));
    }

    [ServerFact]
    public async Task Every_broken_rule_is_named_at_once()
    {
        var words = await Refusal.OfAsync(
            () => Client.CreateRunAsync(new CreateRunRequest
            {
                RunId = "XYZ",
                ParentRunId = "1",
                Parameters = { ["../up"] = "1", ["deep"] = new string('1', 6_001) },
                Tags = { ["a\0"] = "b" },
            }).ResponseAsync,
            StatusCode.InvalidArgument, "RUN_INVALID");

        Assert.All(
            ["run_id:", "parent_run_id:", "experiment:", "'../up'", "parameters.deep: must have at most 6,000", "tags:"],
            part => Assert.Contains(part, words, StringComparison.Ordinal));
    }

    [ServerFact]
    public async Task An_unknown_run_is_not_found()
    {
        var id = NewRunId();
        await Refusal.OfAsync(() => Client.GetRunAsync(new() { RunId = id }).ResponseAsync, StatusCode.NotFound, "RUN_UNKNOWN");
        await Refusal.OfAsync(() => Client.LogBatchAsync(new() { RunId = id }).ResponseAsync, StatusCode.NotFound, "RUN_UNKNOWN");
        await Refusal.OfAsync(
            () => Client.FinishRunAsync(new() { RunId = id, Status = Run.Types.Status.Killed }).ResponseAsync,
            StatusCode.NotFound, "RUN_UNKNOWN");
    }

    [ServerFact]
    public async Task Pages_show_each_run_once_while_runs_are_added()
    {
        var experiment = NewName("paging");
        var parent = NewRunId();
        var made = new List<string>();
        for (var i = 0; i < 7; i++) made.Add(await NewRunAsync());

        var seen = new List<string>();
        var request = new ListRunsRequest { Experiment = experiment, ParentRunId = parent, PageSize = 3 };
        do
        {
            var page = await Client.ListRunsAsync(request);
            seen.AddRange(page.Runs.Select(r => r.RunId));
            request.PageToken = page.NextPageToken;
            await NewRunAsync();
        }
        while (request.PageToken.Length > 0);

        Assert.Equal(made.AsEnumerable().Reverse(), seen);

        async Task<string> NewRunAsync() =>
            (await Client.CreateRunAsync(new CreateRunRequest { Experiment = experiment, ParentRunId = parent })).RunId;
    }

    [ServerTheory]
    [InlineData("no token")]
    [InlineData("MTIzNA")]
    [InlineData("OTIyMzM3MjAzNjg1NDc3NTgwNy4wMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZg")]
    public async Task A_made_up_page_token_is_refused(string token) => await Refusal.OfAsync(
        () => Client.ListRunsAsync(new ListRunsRequest { PageToken = token }).ResponseAsync, StatusCode.InvalidArgument, "PAGE_INVALID");

    private static Metric Point(string key, double value, long step, long time) =>
        new() { Key = key, Value = value, Step = step, TimeMicros = time };
}
