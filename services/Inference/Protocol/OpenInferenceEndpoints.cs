using System.Text.Json;
using Grpc.Core;
using MlOps.Inference.Models;
using MlOps.Inference.Predictions;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Protocol;

/// <summary>The Open Inference Protocol v2 over REST, with JSON tensors.</summary>
internal static class OpenInferenceEndpoints
{
    private static readonly JsonWriterOptions Fast = new() { SkipValidation = true };

    public static void Map(IEndpointRouteBuilder app)
    {
        var v2 = app.MapGroup("/v2").WithTags("Open Inference Protocol");
        v2.MapGet("", () => new ServerAnswer(ServerIdentity.Name, ServerIdentity.Version, [])).WithSummary("Names the server");
        v2.MapGet("/health/live", () => new LiveAnswer(true)).WithSummary("Whether the process runs");
        v2.MapGet("/health/ready", (ModelHost host) => TypedResults.Json(
            new ReadyAnswer(host.IsReady, host.IsReady), statusCode: host.IsReady ? 200 : 503)).WithSummary("Whether models are loaded");
        v2.MapGet("/models", (ModelHost host) => new ModelsAnswer(host.Models)).WithSummary("Names of the models");
        foreach (var path in (string[])["/models/{model}", "/models/{model}/versions/{version}"])
        {
            v2.MapGet(path, DescribeAsync).WithSummary("A model's inputs and outputs");
            v2.MapGet(path + "/ready", ReadyAsync).WithSummary("Whether a model version is loaded");
            v2.MapPost(path + "/infer", InferAsync).WithSummary("Predicts from tensors");
        }

        v2.MapFallback("/{**rest}", (HttpContext http) => throw new NotFoundException(
            "PATH_UNKNOWN", $"There is no {http.Request.Method} {http.Request.Path}.")).ExcludeFromDescription();
    }

    private static async Task<ModelAnswer> DescribeAsync(string model, string? version, ModelHost host, CancellationToken ct)
    {
        using var lease = await host.AcquireAsync(model, version ?? "", ct);
        return new ModelAnswer(
            model, host.LoadedVersions(model), ServerIdentity.Platform,
            lease.Model.Inputs.Select(TensorAnswer.Of), lease.Model.Outputs.Select(TensorAnswer.Of));
    }

    private static async Task<IResult> ReadyAsync(string model, string? version, ModelHost host, CancellationToken ct)
    {
        var isReady = await host.IsLoadedAsync(model, version ?? "", ct);
        return TypedResults.Json(new ModelReadyAnswer(model, isReady), statusCode: isReady ? 200 : 503);
    }

    private static async Task InferAsync(
        string model, string? version, HttpContext http, ModelHost host, Predictor predictor, InferenceTelemetry telemetry,
        TimeProvider time, CancellationToken ct)
    {
        var call = Call.Begin(http.Request, "rest", time);
        LoadedModel? found = null;
        try
        {
            if (http.Request.Headers.ContainsKey("Inference-Header-Content-Length"))
            {
                throw new RpcException(new Status(StatusCode.Unimplemented, "Tensors in binary are taken over gRPC; over REST as JSON."));
            }

            using var body = await RequestBody.ReadAsync(http.Request, ct);
            using var lease = await host.AcquireAsync(model, call.SelectorOf(version), ct);
            found = lease.Model;
            using var workspace = found.RentWorkspace();
            var request = InferJson.Read(body.Span, workspace);
            RequestedOutputs.Check(found, request.Outputs);
            using (var prediction = predictor.Predict(found, workspace, call))
            {
                call.Announce(prediction, http.Response.Headers);
                Write(workspace, request, prediction);
            }

            await JsonAnswer.SendAsync(http.Response, workspace.Answer.WrittenMemory, ct);
        }
        catch (Exception e) when (telemetry.CountFailure(found, call, e))
        {
            throw;
        }
    }

    private static void Write(Workspace workspace, InferJsonRequest request, Prediction prediction)
    {
        using var writer = new Utf8JsonWriter(workspace.Answer, Fast);
        writer.WriteStartObject();
        writer.WriteString("model_name"u8, prediction.Model.Model);
        writer.WriteString("model_version"u8, prediction.Model.VersionText);
        if (request.Id is not null) writer.WriteString("id"u8, request.Id);
        writer.WriteStartObject("parameters"u8);
        writer.WriteString("prediction_id"u8, prediction.Id);
        writer.WriteEndObject();
        writer.WriteStartArray("outputs"u8);
        if (request.Outputs.Count == 0)
        {
            foreach (var output in prediction.Outputs) Write(writer, output);
        }

        foreach (var name in request.Outputs) Write(writer, RequestedOutputs.Find(prediction, name));
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, OutputTensor output)
    {
        writer.WriteStartObject();
        writer.WriteString("name"u8, output.Layout.NameUtf8);
        writer.WriteString("datatype"u8, output.Layout.Datatype.Name);
        writer.WriteStartArray("shape"u8);
        foreach (var size in output.Shape) writer.WriteNumberValue(size);
        writer.WriteEndArray();
        writer.WriteStartArray("data"u8);
        for (var i = 0; i < output.Count; i++) JsonValues.Write(writer, output, i);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    internal sealed record ServerAnswer(string Name, string Version, string[] Extensions);

    internal sealed record LiveAnswer(bool Live);

    // The specification's text calls it live, clients read ready.
    internal sealed record ReadyAnswer(bool Live, bool Ready);

    internal sealed record ModelsAnswer(IEnumerable<string> Models);

    internal sealed record ModelReadyAnswer(string Name, bool Ready);

    internal sealed record ModelAnswer(
        string Name, IReadOnlyList<string> Versions, string Platform, IEnumerable<TensorAnswer> Inputs, IEnumerable<TensorAnswer> Outputs);

    internal sealed record TensorAnswer(string Name, string Datatype, long[] Shape)
    {
        public static TensorAnswer Of(TensorLayout layout) => new(layout.Name, layout.Datatype.Name, layout.Shape);
    }
}
