using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using MlOps.TestServers;

namespace MlOps.ServiceDefaults.Tests;

/// <summary>A small service on the defaults, in this process, on free ports.</summary>
internal sealed class Host : IAsyncDisposable
{
    private readonly WebApplication _app;

    private Host(WebApplication app, int http, int grpc)
    {
        _app = app;
        Http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{http}") };
        Grpc = new Uri($"http://127.0.0.1:{grpc}");
    }

    public HttpClient Http { get; }

    public Uri Grpc { get; }

    public IServiceProvider Services => _app.Services;

    public static async Task<Host> StartAsync(
        Action<WebApplicationBuilder>? configure = null, Action<WebApplication>? map = null,
        params (string Key, string Value)[] settings)
    {
        var (http, grpc) = (FreePorts.Take(), FreePorts.Take());
        var builder = WebApplication.CreateBuilder();
        builder.Configuration.AddInMemoryCollection(
        [
            new("MLOPS_HTTP_PORT", $"{http}"), new("MLOPS_GRPC_PORT", $"{grpc}"),
            .. settings.Select(s => new KeyValuePair<string, string?>(s.Key, s.Value)),
        ]);
        builder.AddServiceDefaults("Testing");
        builder.Logging.ClearProviders();
        configure?.Invoke(builder);
        var app = builder.Build();
        app.MapServiceDefaults();
        map?.Invoke(app);
        await app.StartAsync();
        return new Host(app, http, grpc);
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
    }
}
