using System.Collections;
using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Local;

/// <summary>A child's environment: this process's own without what belongs to the runner, and what the model says.</summary>
internal static class ChildEnvironment
{
    private static readonly string[] Withheld =
    [
        "MLOPS_", "ASPNETCORE_", "ASPIRE_", "OTEL_", "MSBuild", "ConnectionStrings__", "Parameters__", "services__",
        "DOTNET_LAUNCH_PROFILE", "DOTNET_STARTUP_HOOKS", "VSTEST_", "Logging__",
    ];

    public static async Task<IReadOnlyDictionary<string, string>> OfAsync(
        Resource resource,
        Dashboard? dashboard,
        CancellationToken ct)
    {
        var environment = new Dictionary<string, string>();
        foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables())
        {
            var name = (string)variable.Key;
            if (!Array.Exists(Withheld, prefix => name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase)))
                environment[name] = (string?)variable.Value ?? "";
        }

        if (resource is ProjectResource && dashboard is not null)
        {
            environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = dashboard.OtlpUrl;
            environment["OTEL_EXPORTER_OTLP_PROTOCOL"] = "grpc";
            environment["OTEL_EXPORTER_OTLP_HEADERS"] = $"x-otlp-api-key={dashboard.OtlpKey}";
            environment["OTEL_SERVICE_NAME"] = resource.Name;
            environment["OTEL_RESOURCE_ATTRIBUTES"] = $"service.instance.id={Guid.NewGuid():N}";
        }

        foreach (var (name, value) in resource.Environment)
            environment[name] = await TextOfAsync(value, ct);
        return environment;
    }

    public static async Task<IReadOnlyList<string>> ArgumentsOfAsync(Resource resource, CancellationToken ct)
    {
        var arguments = new List<string>();
        foreach (var argument in resource.Arguments)
            arguments.Add(await TextOfAsync(argument, ct));
        return arguments;
    }

    private static async Task<string> TextOfAsync(object? value, CancellationToken ct) => value switch
    {
        IValueProvider later => await later.GetValueAsync(ct) ?? "",
        _ => value?.ToString() ?? "",
    };
}
