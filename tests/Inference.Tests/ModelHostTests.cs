using Grpc.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using MlOps.Inference.Models;
using MlOps.TestServers;

namespace MlOps.Inference.Tests;

public sealed class ModelHostTests : IDisposable
{
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
        _loader = new ModelLoader(_registry, artifacts, _time, NullLogger<ModelLoader>.Instance);
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
}
