using System.Text.Json;
using MlOps.Contracts.Inference.V1;
using MlOps.Inference.Protocol;

namespace MlOps.Inference.Replays;

/// <summary>Replays over REST: the predictions as they come, and the summary behind them.</summary>
internal static class ReplayEndpoints
{
    private static readonly JsonWriterOptions Fast = new() { SkipValidation = true };

    public static void Map(IEndpointRouteBuilder app)
    {
        var v1 = app.MapGroup("/v1/models/{model}").WithTags("Replays");
        v1.MapPost("/replay", ReplayAsync).WithSummary("Runs logged predictions again on the version that answers");
        v1.MapPost("/versions/{version}/replay", ReplayAsync).WithSummary("The same on a chosen version or alias");
    }

    private static async Task ReplayAsync(string model, string? version, HttpContext http, ReplayPredictions replays, CancellationToken ct)
    {
        ReplayRequest request;
        using (var body = await RequestBody.ReadAsync(http.Request, ct)) request = ReplayBody.Read(body.Span, model, version);
        await using var parts = replays.ReplayAsync(request, ct).GetAsyncEnumerator(ct);
        // There always is a part: what goes wrong before it has a status of its own.
        await parts.MoveNextAsync();
        http.Response.ContentType = "application/json";
        await using var writer = new Utf8JsonWriter(http.Response.BodyWriter, Fast);
        writer.WriteStartObject();
        writer.WriteString("model"u8, model);
        writer.WriteString("version"u8, parts.Current.Version);
        writer.WriteStartArray("predictions"u8);
        ReplaySummary? summary;
        do
        {
            foreach (var prediction in parts.Current.Predictions) Write(writer, prediction);
            summary = parts.Current.Summary;
            await writer.FlushAsync(ct);
            await http.Response.BodyWriter.FlushAsync(ct);
        }
        while (await parts.MoveNextAsync());

        writer.WriteEndArray();
        if (summary is not null) Write(writer, summary, request.HasThreshold);
        writer.WriteEndObject();
        await writer.FlushAsync(ct);
    }

    private static void Write(Utf8JsonWriter writer, ReplayedPrediction prediction)
    {
        writer.WriteStartObject();
        writer.WriteString("prediction_id"u8, prediction.PredictionId);
        writer.WriteString("logged_version"u8, prediction.LoggedVersion);
        WriteNumber(writer, "logged"u8, prediction.Logged);
        WriteNumber(writer, "replayed"u8, prediction.Replayed);
        WriteNumber(writer, "difference"u8, prediction.Difference);
        if (prediction.Skipped.Length > 0) writer.WriteString("skipped"u8, prediction.Skipped);
        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, ReplaySummary summary, bool hasThreshold)
    {
        writer.WriteStartObject("summary"u8);
        writer.WriteString("output"u8, summary.Output);
        writer.WriteNumber("count"u8, summary.Count);
        writer.WriteNumber("skipped"u8, summary.Skipped);
        writer.WriteNumber("equal"u8, summary.Equal);
        WriteNumber(writer, "max_absolute_difference"u8, summary.MaxAbsoluteDifference);
        WriteNumber(writer, "mean_absolute_difference"u8, summary.MeanAbsoluteDifference);
        WriteNumber(writer, "max_relative_difference"u8, summary.MaxRelativeDifference);
        writer.WriteString("worst_prediction_id"u8, summary.WorstPredictionId);
        if (hasThreshold) writer.WriteNumber("flips"u8, summary.Flips);
        WriteNumber(writer, "correlation"u8, summary.Correlation);
        writer.WriteEndObject();
    }

    private static void WriteNumber(Utf8JsonWriter writer, ReadOnlySpan<byte> name, double value)
    {
        writer.WritePropertyName(name);
        PredictionRows.WriteNumber(writer, value);
    }
}
