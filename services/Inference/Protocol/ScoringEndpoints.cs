using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;
using MlOps.Inference.Admission;
using MlOps.Inference.Explanations;
using MlOps.Inference.Models;
using MlOps.Inference.Predictions;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Protocol;

/// <summary>The V1 protocol of TensorFlow Serving and KServe, and MLflow's scoring server, over the same models.</summary>
internal static class ScoringEndpoints
{
    /// <summary>Names the model of a call to <c>/invocations</c>.</summary>
    public const string ModelHeader = "x-mlops-model";

    private static readonly JsonWriterOptions Fast = new() { SkipValidation = true };

    public static void Map(IEndpointRouteBuilder app)
    {
        var v1 = app.MapGroup("/v1/models").WithTags("V1 protocol");
        v1.MapGet("/{model}", ReadyAsync).WithSummary("Whether a model is loaded");
        v1.MapPost("/{model}:predict", PredictAsync).WithMetadata(new PredictsAttribute()).WithSummary("Predicts from instances");
        v1.MapPost("/{model}/versions/{version}:predict", PredictAsync).WithMetadata(new PredictsAttribute()).WithSummary("The same by a chosen version or alias");
        v1.MapPost("/{model}:explain", ExplainAsync).WithMetadata(new PredictsAttribute()).WithSummary("Says what the values of instances contribute to their predictions");
        v1.MapPost("/{model}/versions/{version}:explain", ExplainAsync).WithMetadata(new PredictsAttribute()).WithSummary("The same by a chosen version or alias");

        var mlflow = app.MapGroup("").WithTags("MLflow scoring");
        mlflow.MapGet("/ping", Ping).WithSummary("Whether models are loaded");
        mlflow.MapPost("/invocations", InvokeAsync).WithMetadata(new PredictsAttribute()).WithSummary("Predicts from any of MLflow's four input forms");
    }

    private static async Task<IResult> ReadyAsync(string model, ModelHost host, CancellationToken ct)
    {
        var isReady = await host.IsLoadedAsync(model, "", ct);
        return TypedResults.Json(new ModelReadyAnswer(model, isReady), statusCode: isReady ? 200 : 503);
    }

    private static ContentHttpResult Ping(ModelHost host) =>
        TypedResults.Text("\n", "application/json", statusCode: host.IsReady ? 200 : 503);

    private static Task PredictAsync(string model, string? version, HttpContext http, Scoring scoring, CancellationToken ct) =>
        scoring.AnswerAsync(model, version, ScoringJson.V1Forms, http, Write, ct);

    private static Task ExplainAsync(string model, string? version, HttpContext http, Scoring scoring, CancellationToken ct) =>
        scoring.AnswerAsync(model, version, ScoringJson.V1Forms, http, WriteExplanations, ct, onlyExplains: true);

    private static Task InvokeAsync(
        HttpContext http, ModelHost host, Scoring scoring, IOptions<InferenceOptions> options, CancellationToken ct) =>
        scoring.AnswerAsync(ModelOf(http.Request, host, options.Value), null, ScoringJson.MlflowForms, http, Write, ct);

    // The header, else the one configured, else the only one there is.
    private static string ModelOf(HttpRequest request, ModelHost host, InferenceOptions options)
    {
        if (request.Headers[ModelHeader].ToString() is { Length: > 0 } named) return named;
        if (options.InvocationsModel.Length > 0) return options.InvocationsModel;
        string[] models = [.. host.Models.Take(2)];
        return models.Length == 1
            ? models[0]
            : throw new InvalidRequestException("MODEL_NOT_NAMED", $"The header {ModelHeader} must name the model.");
    }

    private static void Write(Workspace workspace, Prediction prediction)
    {
        using var writer = new Utf8JsonWriter(workspace.Answer, Fast);
        writer.WriteStartObject();
        writer.WriteStartArray("predictions"u8);
        for (var row = 0; row < prediction.Rows; row++) PredictionRows.Write(writer, prediction, row);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static void WriteExplanations(Workspace workspace, Prediction prediction)
    {
        var explanation = prediction.Explanation!; // Only explained calls come here.
        using var writer = new Utf8JsonWriter(workspace.Answer, Fast);
        writer.WriteStartObject();
        writer.WriteStartArray("explanations"u8);
        for (var row = 0; row < prediction.Rows; row++) ExplanationJson.WriteRow(writer, explanation, row);
        writer.WriteEndArray();
        ExplanationJson.WriteHow(writer, explanation);
        writer.WriteStartArray("predictions"u8);
        for (var row = 0; row < prediction.Rows; row++) PredictionRows.Write(writer, prediction, row);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    internal sealed record ModelReadyAnswer(string Name, bool Ready);
}
