using System.Net;
using System.Reflection;
using System.Security.Cryptography;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Aspire.Hosting.Local;

/// <summary>The real Aspire dashboard as one more process; the application runs without it when it cannot.</summary>
/// <param name="Resource">Its process.</param>
/// <param name="OtlpUrl">Where it takes telemetry, by gRPC.</param>
/// <param name="OtlpKey">What senders of telemetry have to show.</param>
internal sealed record Dashboard(Resource Resource, string OtlpUrl, string OtlpKey)
{
    /// <summary>Adds it when an address is configured and the bundle it comes in was there when the application was built.</summary>
    public static Dashboard? AddTo(IDistributedApplicationBuilder builder, string folder)
    {
        var url = builder.Configuration["ASPNETCORE_URLS"];
        var bundle = Assembly.GetEntryAssembly()?.GetCustomAttributes<AssemblyMetadataAttribute>()
            .FirstOrDefault(entry => entry.Key == "aspirebundlepath")?.Value;
        if (string.IsNullOrEmpty(url) || string.IsNullOrEmpty(bundle))
            return null;
        var program = Path.Combine(bundle, "managed", "aspire-managed");
        if (!File.Exists(program))
            return null;

        var home = Path.Combine(folder, "dashboard");
        Directory.CreateDirectory(home);
        var otlp = builder.Configuration["ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL"] ?? $"http://127.0.0.1:{FreePort.Next()}";
        var key = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
        builder.Services.AddHealthChecks().Add(new HealthCheckRegistration(
            "dashboard",
            _ => new HttpHealthCheck(() => new Uri(new Uri(url), "/health"), HttpStatusCode.OK),
            failureStatus: null,
            tags: null));
        var dashboard = builder.AddExecutable("dashboard", program, Path.GetDirectoryName(program)!, "dashboard")
            .WithEnvironment("ASPNETCORE_URLS", url)
            .WithEnvironment("ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL", otlp)
            .WithEnvironment("DASHBOARD__FRONTEND__AUTHMODE", "Unsecured")
            // What the page shows is there for programs as well: /api/telemetry, with the key in the header x-api-key.
            .WithEnvironment("DASHBOARD__API__AUTHMODE", "ApiKey")
            .WithEnvironment("DASHBOARD__API__PRIMARYAPIKEY", ApiKeyIn(home))
            .WithEnvironment("DASHBOARD__OTLP__AUTHMODE", "ApiKey")
            .WithEnvironment("DASHBOARD__OTLP__PRIMARYAPIKEY", key)
            .WithEnvironment("ASPIRE_DASHBOARD_TELEMETRY_OPTOUT", "true")
            .WithEnvironment("ASPIRE_CLI_TELEMETRY_OPTOUT", "true")
            .WithEnvironment("HOME", home)
            .WithEnvironment("XDG_CACHE_HOME", home)
            .WithEnvironment("DOTNET_BUNDLE_EXTRACT_BASE_DIR", home)
            .WithEnvironment("DOTNET_gcServer", "0")
            .WithEnvironment("DOTNET_GCConserveMemory", "5")
            .WithHealthCheck("dashboard");
        return new Dashboard(dashboard.Resource, otlp, key);
    }

    private static string ApiKeyIn(string home)
    {
        var key = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
        var file = Path.Combine(home, "api-key");
        File.Delete(file);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using var writer = new StreamWriter(file, options);
        writer.Write(key);
        return key;
    }
}
