using System.Runtime.InteropServices;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Local;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Aspire.Hosting;

/// <summary>Runs the application's resources as processes of this machine until it is told to stop.</summary>
public class DistributedApplication : IAsyncDisposable
{
    private readonly IReadOnlyList<Resource> _resources;
    private readonly ServiceProvider _services;
    private readonly string _folder;
    private readonly Dashboard? _dashboard;

    internal DistributedApplication(
        IReadOnlyList<Resource> resources,
        ServiceProvider services,
        string folder,
        Dashboard? dashboard)
    {
        _resources = resources;
        _services = services;
        _folder = folder;
        _dashboard = dashboard;
    }

    public static IDistributedApplicationBuilder CreateBuilder(string[] args) => new DistributedApplicationBuilder(args);

    /// <summary>
    /// Starts everything, in the order of the waits, and returns when all has ended: after SIGINT, SIGTERM or SIGHUP, a second
    /// of which ends it at once. A resource that cannot be started at all ends it too, with exit code 1.
    /// </summary>
    public async Task RunAsync(CancellationToken cancellationToken = default)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var kill = new CancellationTokenSource();
        var signals = new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP, PosixSignal.SIGQUIT }
            .Select(signal => PosixSignalRegistration.Create(signal, context =>
            {
                context.Cancel = true;
                (stop.IsCancellationRequested ? kill : stop).Cancel();
            }))
            .ToArray();
        using var spawner = new Spawner();
        try
        {
            var settings = new RunSettings(
                _folder,
                spawner,
                new Screen(Console.Out),
                _services,
                _services.GetRequiredService<HealthCheckService>(),
                _services.GetRequiredService<TimeProvider>(),
                _dashboard);
            if (!await new Runner(_resources, settings).RunAsync(stop.Token, kill.Token))
                Environment.ExitCode = 1;
        }
        finally
        {
            foreach (var signal in signals)
                signal.Dispose();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _services.DisposeAsync();
        GC.SuppressFinalize(this);
    }
}
