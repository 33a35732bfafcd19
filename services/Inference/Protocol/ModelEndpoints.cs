using System.Globalization;
using System.Text.Json;
using MlOps.Inference.Models;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Protocol;

/// <summary>Triton's statistics, model configuration and model repository extensions over REST.</summary>
internal static class ModelEndpoints
{
    private static readonly JsonSerializerOptions SnakeCase =
        new(JsonSerializerDefaults.Web) { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public static void Map(IEndpointRouteBuilder app)
    {
        var v2 = app.MapGroup("/v2").WithTags("Open Inference Protocol");
        v2.MapGet("/models/stats", StatsAsync).WithSummary("What every loaded version did");
        foreach (var path in (string[])["/models/{model}", "/models/{model}/versions/{version}"])
        {
            v2.MapGet(path + "/stats", StatsAsync).WithSummary("What a model's loaded versions did");
            v2.MapGet(path + "/config", ConfigAsync).WithSummary("A model's configuration");
        }

        v2.MapPost("/repository/index", IndexAsync).WithSummary("The registry's models and their state here");
        v2.MapGet("/repository/warm", (ModelHost host) => TypedResults.Json(WarmAnswer.Of(host), SnakeCase)).WithSummary("What this replica has loaded");
        foreach (var path in (string[])["/repository/models/{model}", "/repository/models/{model}/versions/{version}"])
        {
            v2.MapPost(path + "/load", LoadAsync).WithSummary("Loads a model or one version, after an unload too");
            v2.MapPost(path + "/unload", UnloadAsync).WithSummary("Unloads a model or one version until it is loaded again");
        }
    }

    private static async Task<IResult> StatsAsync(string? model, string? version, ModelHost host, CancellationToken ct)
    {
        var loaded = await host.LoadedAsync(model ?? "", version ?? "", ct);
        return TypedResults.Json(new StatsAnswer(loaded.Select(ModelStats.Of)), SnakeCase);
    }

    private static async Task<IResult> ConfigAsync(string model, string? version, ModelHost host, CancellationToken ct)
    {
        using var lease = await host.AcquireAsync(model, version ?? "", ct);
        return TypedResults.Json(ModelConfiguration.AnswerOf(lease.Model), SnakeCase);
    }

    private static async Task<IResult> IndexAsync(HttpContext http, ModelHost host, CancellationToken ct)
    {
        using var request = await ReadAsync(http, ct);
        var isReadyOnly = request is not null && request.RootElement.TryGetProperty("ready", out var ready) && ready.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False or JsonValueKind.Null => false,
            _ => throw Invalid("'ready' must be true or false"),
        };
        return TypedResults.Json(host.Index().Where(s => !isReadyOnly || s.State == "READY").Select(s => new IndexEntry(
            s.Model, s.Version.ToString(CultureInfo.InvariantCulture), s.State, s.Reason)));
    }

    private static async Task<LoadAnswer> LoadAsync(string model, string? version, HttpContext http, ModelHost host, CancellationToken ct)
    {
        using var request = await ReadAsync(http, ct);
        ModelRepository.CheckLoad(ParametersOf(request));
        await host.LoadModelAsync(model, version ?? VersionOf(request), ct);
        return new LoadAnswer(model, true);
    }

    private static async Task<UnloadAnswer> UnloadAsync(string model, string? version, HttpContext http, ModelHost host, CancellationToken ct)
    {
        using var request = await ReadAsync(http, ct);
        ParametersOf(request);
        await host.UnloadModelAsync(model, version ?? VersionOf(request), ct);
        return new UnloadAnswer(model, true);
    }

    private static string VersionOf(JsonDocument? request)
    {
        if (request is null || !request.RootElement.TryGetProperty("parameters", out var parameters)
            || !parameters.TryGetProperty(ModelRepository.VersionParameter, out var version)) return "";
        return version.ValueKind switch
        {
            JsonValueKind.String => version.GetString() ?? "",
            JsonValueKind.Number => version.GetRawText(),
            _ => throw ModelRepository.VersionInvalid(),
        };
    }

    // Null: there is no body, which is fine.
    private static async Task<JsonDocument?> ReadAsync(HttpContext http, CancellationToken ct)
    {
        using var body = await RequestBody.ReadAsync(http.Request, ct);
        if (body.Span.IsEmpty) return null;
        try
        {
            var document = JsonDocument.Parse(body.Span.ToArray());
            if (document.RootElement.ValueKind == JsonValueKind.Object)
            {
                // Looking a name up fails on half a surrogate pair in any of them.
                foreach (var property in document.RootElement.EnumerateObject()) _ = property.Name;
                return document;
            }

            document.Dispose();
        }
        catch (JsonException e)
        {
            throw Invalid($"The body is not valid JSON: {e.Message}");
        }
        catch (InvalidOperationException)
        {
            throw Invalid("a name in the request is no text");
        }

        throw Invalid("the request must be an object");
    }

    private static List<string> ParametersOf(JsonDocument? request)
    {
        if (request is null || !request.RootElement.TryGetProperty("parameters", out var parameters)) return [];
        if (parameters.ValueKind != JsonValueKind.Object) throw Invalid("'parameters' must be an object");
        try
        {
            return [.. parameters.EnumerateObject().Select(p => p.Name)];
        }
        catch (InvalidOperationException)
        {
            throw Invalid("a parameter's name is no text");
        }
    }

    private static InvalidRequestException Invalid(string message) => new("JSON_INVALID", message);

    internal sealed record StatsAnswer(IEnumerable<ModelStats> ModelStats);

    internal sealed record IndexEntry(string Name, string Version, string State, string Reason);

    /// <param name="Replica">The process that answers.</param>
    /// <param name="Versions">What of it is warm: a request for it waits for nothing.</param>
    internal sealed record WarmAnswer(string Replica, IEnumerable<WarmVersion> Versions)
    {
        public static WarmAnswer Of(ModelHost host) => new(
            ServerIdentity.Replica,
            host.Slots.Select(slot => slot.Loaded).OfType<LoadedModel>().Select(v => new WarmVersion(v.Model, v.VersionText, v.Backend.Name, v.Bytes)));
    }

    /// <param name="Name">Of the model.</param>
    /// <param name="Version">Its number.</param>
    /// <param name="Backend">What computes it.</param>
    /// <param name="ByteSize">Memory it takes, estimated.</param>
    internal sealed record WarmVersion(string Name, string Version, string Backend, long ByteSize);

    internal sealed record LoadAnswer(string Name, bool Load);

    internal sealed record UnloadAnswer(string Name, bool Unload);
}
