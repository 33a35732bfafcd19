using Grpc.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
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
