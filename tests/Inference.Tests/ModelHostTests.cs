using Grpc.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using MlOps.Contracts.Registry.V1;
using MlOps.Inference.Models;
using MlOps.ServiceDefaults;
using MlOps.TestServers;

namespace MlOps.Inference.Tests;

[Collection(nameof(Alone))]
public sealed class ModelHostTests : IDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);
    private readonly string _folder = Directory.CreateTempSubdirectory("models-").FullName;
    private readonly ManualTimeProvider _time = new();
    private readonly InferenceOptions _options = new() { MaxLoadedVersions = 2 };
    private readonly FakeRegistry _registry;
    private readonly ModelCatalogue _catalogue;
    private readonly ModelLoader _loader;
    private readonly ModelHost _host;

    public ModelHostTests()
    {
        _registry = new FakeRegistry(_folder);
        var configuration = new ConfigurationBuilder()
            .AddInMemoryCollection([KeyValuePair.Create("Storage:Folder", (string?)_folder)]).Build();
        var artifacts = new ArtifactCache(
            _registry, Options.Create(_options), configuration, _time, NullLogger<ArtifactCache>.Instance);
        _catalogue = new ModelCatalogue(_registry, _time, NullLogger<ModelCatalogue>.Instance);
        _loader = new ModelLoader(_registry, artifacts, new ModelSettingsBook(new ConfigurationBuilder().Build()), _time, NullLogger<ModelLoader>.Instance);
        _host = new ModelHost(_catalogue, _loader, Options.Create(_options), _time, NullLogger<ModelHost>.Instance);
    }

    public void Dispose()
    {
        _host.Dispose();
        _loader.Dispose();
        _catalogue.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Readers_of_artifacts_share_a_folder_that_is_too_small()
    {
        _registry.Add("many", 400);
        Directory.Delete(Path.Combine(_folder, "models"), recursive: true);
        var configuration = new ConfigurationBuilder()
            .AddInMemoryCollection([KeyValuePair.Create("Storage:Folder", (string?)_folder)]).Build();
        var options = Options.Create(new InferenceOptions { ModelCacheBytes = 200 * Graphs.Times(1).Length });
        ArtifactCache[] replicas =
        [
            new(_registry, options, configuration, TimeProvider.System, NullLogger<ArtifactCache>.Instance),
            new(_registry, options, configuration, TimeProvider.System, NullLogger<ArtifactCache>.Instance),
        ];

        await Parallel.ForEachAsync(Enumerable.Range(0, 2_000), new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (i, ct) =>
        {
            var version = await _registry.GetModelVersionAsync(new GetModelVersionRequest { Model = "many", Version = 1 + (i * 7 % 400) }, cancellationToken: ct);
            var content = await replicas[i % 2].ReadAsync(version.ArtifactDigest, ct);
            Assert.Equal(Graphs.Times(version.Version), content);
        });
    }

    [Fact]
    public async Task A_caller_who_gives_up_does_not_make_the_registry_away()
    {
        _registry.Add("known", 1);
        await _host.RefreshAsync(CancellationToken.None);
        _registry.Add("new", 1);
        using var caller = new CancellationTokenSource();
        _registry.Before = ct => Task.Delay(Timeout.Infinite, ct);
        _time.Advance(TimeSpan.FromSeconds(1));
        var impatient = _host.IsLoadedAsync("new", "", caller.Token);
        var patient = _host.IsLoadedAsync("new", "", CancellationToken.None);
        _registry.Before = _ => Task.CompletedTask;

        await caller.CancelAsync();
        await Assert.ThrowsAsync<RpcException>(() => impatient);

        Assert.Null(_host.RegistryFailure);
        Assert.False(await patient);
        Assert.Equal(3, _registry.Lists);
    }

    [Fact]
    public async Task A_registry_that_fails_is_away_for_all_who_asked()
    {
        await _host.RefreshAsync(CancellationToken.None);
        _time.Advance(TimeSpan.FromSeconds(1));
        _registry.Before = _ => throw new RpcException(new Status(StatusCode.Unavailable, "gone"));

        await Assert.ThrowsAsync<RpcException>(() => _host.IsLoadedAsync("new", "", CancellationToken.None));

        Assert.Equal("gone", _host.RegistryFailure);
    }

    [Fact]
    public async Task With_many_models_and_no_alias_the_longest_unused_is_unloaded()
    {
        foreach (var i in Enumerable.Range(0, 8)) _registry.Add($"m{i}", 1);
        await _host.RefreshAsync(CancellationToken.None);
        await _host.LoadWantedAsync(CancellationToken.None);

        for (var i = 0; i < 8; i++) await AskAsync($"m{i}", "", 1);

        Assert.Equal([("m6", 1), ("m7", 1)], Loaded());
    }

    [Fact]
    public async Task What_nobody_used_goes_before_what_somebody_did_and_is_not_loaded_again_in_its_place()
    {
        foreach (var i in Enumerable.Range(0, 5)) _registry.Add($"m{i}", 1);
        await _host.RefreshAsync(CancellationToken.None);
        await _host.LoadWantedAsync(CancellationToken.None);
        Assert.Equal([("m0", 1), ("m1", 1)], Loaded());

        await AskAsync("m1", "", 1);
        await AskAsync("m4", "", 1);
        Assert.Equal([("m1", 1), ("m4", 1)], Loaded());
        await AskAsync("m1", "", 1);
        await AskAsync("m3", "", 1);
        Assert.Equal([("m1", 1), ("m3", 1)], Loaded());

        var gets = _registry.Gets;
        for (var round = 0; round < 3; round++) Assert.True(await _host.LoadWantedAsync(CancellationToken.None));
        Assert.Equal(gets, _registry.Gets);
        Assert.Equal([("m1", 1), ("m3", 1)], Loaded());
        Assert.Empty(_host.Missing());
    }

    [Fact]
    public async Task Versions_that_aliases_point_to_stay_however_long_they_are_unused()
    {
        foreach (var i in Enumerable.Range(0, 3)) _registry.Add($"m{i}", 3);
        _registry.SetAlias("m0", "champion", 1);
        _registry.SetAlias("m0", "challenger", 2);
        _registry.SetAlias("m1", "champion", 1);
        await _host.RefreshAsync(CancellationToken.None);
        await _host.LoadWantedAsync(CancellationToken.None);

        foreach (var version in (int[])[2, 3, 1]) await AskAsync("m2", $"{version}", version);

        // More than the bound as they are, and beside them the one just used.
        Assert.Equal([("m0", 1), ("m0", 2), ("m1", 1), ("m2", 1)], Loaded());
    }

    [Fact]
    public async Task Versions_stay_within_the_memory_budget_and_none_is_loaded_ahead_again_and_again()
    {
        foreach (var i in Enumerable.Range(0, 5)) _registry.Add($"m{i}", 1);
        // Each takes a little more than a mebibyte.
        var options = new InferenceOptions { MemoryBudget = 5 << 19 };
        using var host = new ModelHost(_catalogue, _loader, Options.Create(options), _time, NullLogger<ModelHost>.Instance);
        await host.RefreshAsync(CancellationToken.None);
        Assert.True(await host.LoadWantedAsync(CancellationToken.None));
        Assert.Equal(2, host.Slots.Count());
        Assert.InRange(host.LoadedBytes, 2 << 20, options.MemoryBudget);

        var gets = _registry.Gets;
        for (var round = 0; round < 3; round++) Assert.True(await host.LoadWantedAsync(CancellationToken.None));
        Assert.Equal(gets, _registry.Gets);
        foreach (var model in (string[])["m0", "m4", "m2", "m4", "m3"])
        {
            _time.Advance(TimeSpan.FromMilliseconds(1));
            using var lease = await host.AcquireAsync(model, "", CancellationToken.None);
        }

        Assert.Equal(["m3", "m4"], host.Slots.Select(s => s.Model));
    }

    [Fact]
    public async Task One_version_is_unloaded_and_loaded_beside_the_others()
    {
        _registry.Add("m", 3);
        _registry.SetAlias("m", "champion", 2);
        await _host.RefreshAsync(CancellationToken.None);
        await _host.LoadWantedAsync(CancellationToken.None);

        await _host.UnloadModelAsync("m", "champion", CancellationToken.None);
        await _host.LoadWantedAsync(CancellationToken.None);
        Assert.Equal([("m", 3)], Loaded());
        Assert.Equal("MODEL_UNLOADED", (await RefusedAsync("m", "")).Trailers.GetValue("mlops-code"));
        Assert.Contains("version 2 is unloaded", (await RefusedAsync("m", "2")).Status.Detail, StringComparison.Ordinal);
        await AskAsync("m", "3", 3);

        await _host.LoadModelAsync("m", "2", CancellationToken.None);
        await AskAsync("m", "", 2);

        await _host.UnloadModelAsync("m", "", CancellationToken.None);
        await _host.LoadModelAsync("m", "3", CancellationToken.None);
        Assert.Equal([("m", 3)], Loaded());
        await RefusedAsync("m", "2");
        await RefusedAsync("m", "1");
        await Assert.ThrowsAsync<NotFoundException>(() => _host.UnloadModelAsync("m", "4", CancellationToken.None));

        await _host.LoadModelAsync("m", "", CancellationToken.None);
        await AskAsync("m", "", 2);
    }

    [Fact]
    public async Task A_damaged_file_is_fetched_again_and_one_that_comes_damaged_is_refused_while_the_version_before_serves_on()
    {
        _registry.Add("m", 1);
        await File.WriteAllBytesAsync(_registry.PathOf("m", 1), [1, 2, 3]);
        await _host.RefreshAsync(CancellationToken.None);
        await AskAsync("m", "", 1);
        Assert.Equal(1, _registry.Downloads);
        Assert.True((await File.ReadAllBytesAsync(_registry.PathOf("m", 1))).Length > 3);

        _registry.Add("m", 2);
        File.Delete(_registry.PathOf("m", 2));
        _registry.OnTheWay = content => [.. content[..^1], (byte)(content[^1] ^ 1)];
        await _host.RefreshAsync(CancellationToken.None);
        Assert.False(await _host.LoadWantedAsync(CancellationToken.None));
        await AskAsync("m", "", 1);
        Assert.False(File.Exists(_registry.PathOf("m", 2)));
        Assert.Contains("The registry sent sha256:", _host.Missing().Single().Reason, StringComparison.Ordinal);

        _registry.OnTheWay = content => content;
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.True(await _host.LoadWantedAsync(CancellationToken.None));
        await AskAsync("m", "", 2);
    }

    [Fact]
    public async Task Newer_versions_under_load_fail_no_request_and_each_answer_is_of_the_version_it_names()
    {
        _registry.Add("m", 1);
        await _host.RefreshAsync(CancellationToken.None);
        await _host.LoadWantedAsync(CancellationToken.None);
        using var stop = new CancellationTokenSource();
        var answered = 0;
        var callers = Enumerable.Range(0, 3).Select(caller => Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                // Others keep the bound busy, so that versions come and go.
                using var lease = await _host.AcquireAsync("m", caller == 0 ? "1" : "", CancellationToken.None);
                using var workspace = lease.Model.RentWorkspace(0);
                SampleModel.Fill(workspace, caller, answered % 100, (answered % 100) + 2);
                lease.Model.Backend.Run(workspace.Inputs, workspace.Outputs);
                for (var row = 0; row < 2; row++)
                {
                    var x = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(workspace.Inputs[0].Bytes)[row];
                    Assert.Equal(x * lease.Model.Version, (float)workspace.Outputs[0].NumberAt(row));
                }

                Interlocked.Increment(ref answered);
            }
        })).ToArray();

        for (var version = 2; version <= 12; version++)
        {
            _registry.Add("m", version);
            await _host.RefreshAsync(CancellationToken.None);
            Assert.True(await _host.LoadWantedAsync(CancellationToken.None));
            var before = answered;
            await SpinAsync(() => answered > before + 20 || callers.Any(c => c.IsCompleted));
        }

        await stop.CancelAsync();
        await Task.WhenAll(callers);
        await AskAsync("m", "", 12);
        Assert.InRange(_host.Slots.Count(), 1, 2);
    }

    [Fact]
    public async Task A_newer_version_takes_the_place_of_the_one_that_answers_beyond_the_bound_too()
    {
        foreach (var i in Enumerable.Range(0, 4)) _registry.Add($"m{i}", 1);
        await _host.RefreshAsync(CancellationToken.None);
        await _host.LoadWantedAsync(CancellationToken.None);
        var beyond = Enumerable.Range(0, 4).Select(i => $"m{i}").First(m => _host.LoadedVersions(m).Count == 0);
        await AskAsync(beyond, "", 1);

        _registry.Add(beyond, 2);
        await _host.RefreshAsync(CancellationToken.None);
        await AskAsync(beyond, "", 1);
        await _host.LoadWantedAsync(CancellationToken.None);

        await AskAsync(beyond, "", 2);
        Assert.Equal([(beyond, 1), (beyond, 2)], Loaded());
    }

    [Fact]
    public async Task Versions_that_callers_invent_leave_nothing_behind()
    {
        _registry.Add("m", 9);
        await _host.RefreshAsync(CancellationToken.None);
        await _host.LoadWantedAsync(CancellationToken.None);
        for (var version = 10; version < 40; version++)
        {
            await Assert.ThrowsAsync<NotFoundException>(() => AskAsync("m", $"{version}", version));
        }

        Assert.Equal([9], _host.Slots.Select(s => s.Version));
        _registry.Before = _ => throw new RpcException(new Status(StatusCode.Unavailable, "gone"));
        await Assert.ThrowsAsync<RpcException>(() => _host.RefreshAsync(CancellationToken.None));
        var gets = _registry.Gets;
        for (var version = 10; version < 40; version++)
        {
            var refused = await Assert.ThrowsAsync<RpcException>(() => AskAsync("m", $"{version}", version));
            Assert.Equal("REGISTRY_UNAVAILABLE", refused.Trailers.GetValue("mlops-code"));
        }

        Assert.Equal(gets, _registry.Gets);
        for (var version = 1; version < 9; version++)
        {
            var refused = await Assert.ThrowsAsync<RpcException>(() => AskAsync("m", $"{version}", version));
            Assert.Equal("MODEL_NOT_READY", refused.Trailers.GetValue("mlops-code"));
        }

        Assert.Equal([9], _host.Slots.Select(s => s.Version));
        await AskAsync("m", "", 9);
    }

    [Fact]
    public async Task A_quiet_round_leaves_nothing_behind()
    {
        using var sync = new ModelSync(_host, Options.Create(_options), _time, NullLogger<ModelSync>.Instance);
        await sync.StartAsync(CancellationToken.None);
        await RoundsAsync(200);
        var before = GC.GetTotalMemory(forceFullCollection: true);

        await RoundsAsync(10_000);

        // A waiter left in each round would be some 300 bytes.
        Assert.True(GC.GetTotalMemory(forceFullCollection: true) - before < 1_000_000);
        await sync.StopAsync(CancellationToken.None);

        async Task RoundsAsync(int rounds)
        {
            for (var i = 0; i < rounds; i++)
            {
                var lists = _registry.Lists;
                await SpinAsync(() =>
                {
                    _time.Advance(_options.RefreshInterval);
                    return _registry.Lists > lists;
                });
            }
        }
    }

    private Task<RpcException> RefusedAsync(string model, string selector) => Assert.ThrowsAsync<RpcException>(() => AskAsync(model, selector, 0));

    private IEnumerable<(string, int)> Loaded() => _host.Slots.Where(s => s.Loaded is not null).Select(s => (s.Model, s.Version));

    // Rounds are too short to be waited for with pauses.
    private static async Task SpinAsync(Func<bool> condition)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (!condition())
        {
            if (TimeProvider.System.GetElapsedTime(start) > Deadline) throw new TimeoutException();
            await Task.Yield();
        }
    }

    private async Task AskAsync(string model, string selector, int expected)
    {
        _time.Advance(TimeSpan.FromMilliseconds(1));
        using var lease = await _host.AcquireAsync(model, selector, CancellationToken.None);
        Assert.Equal(expected, lease.Model.Version);
    }
}

/// <summary>Runs when nothing else does: memory is counted.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;
