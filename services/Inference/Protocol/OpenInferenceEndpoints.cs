using System.Globalization;
using MlOps.Inference.Admission;
using MlOps.Inference.Models;
using MlOps.Inference.PredictionLog;
using MlOps.Inference.Predictions;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Protocol;

/// <summary>The Open Inference Protocol v2 over REST, tensors as JSON or in binary.</summary>
internal static class OpenInferenceEndpoints
{
    public static void Map(IEndpointRouteBuilder app)
    {
        var v2 = app.MapGroup("/v2").WithTags("Open Inference Protocol");
        v2.MapGet("", () => new ServerAnswer(ServerIdentity.Name, ServerIdentity.Version, ServerIdentity.Extensions)).WithSummary("Names the server");
        v2.MapGet("/health/live", () => new LiveAnswer(true)).WithSummary("Whether the process runs");
        v2.MapGet("/health/ready", (ModelHost host) => TypedResults.Json(
            new ReadyAnswer(host.IsReady, host.IsReady), statusCode: host.IsReady ? 200 : 503)).WithSummary("Whether models are loaded");
        v2.MapGet("/models", (ModelHost host) => new ModelsAnswer(host.Models)).WithSummary("Names of the models");
        foreach (var path in (string[])["/models/{model}", "/models/{model}/versions/{version}"])
        {
            v2.MapGet(path, DescribeAsync).WithSummary("A model's inputs and outputs");
            v2.MapGet(path + "/ready", ReadyAsync).WithSummary("Whether a model version is loaded");
            v2.MapPost(path + "/infer", InferAsync).WithMetadata(new PredictsAttribute()).WithSummary("Predicts from tensors");
        }

        v2.MapFallback("/{**rest}", (HttpContext http) => throw new NotFoundException(
            "PATH_UNKNOWN", $"There is no {http.Request.Method} {http.Request.Path}.")).ExcludeFromDescription();
    }

    private static async Task<ModelAnswer> DescribeAsync(string model, string? version, ModelHost host, CancellationToken ct)
    {
        using var lease = await host.AcquireAsync(model, version ?? "", ct);
        return new ModelAnswer(
            model, host.LoadedVersions(model), lease.Model.Choice.Platform,
            lease.Model.Inputs.Select(TensorAnswer.Of), lease.Model.Outputs.Select(TensorAnswer.Of),
            ModelProperties.Of(lease.Model));
    }

    private static async Task<IResult> ReadyAsync(string model, string? version, ModelHost host, CancellationToken ct)
    {
        var isReady = await host.IsLoadedAsync(model, version ?? "", ct);
        return TypedResults.Json(new ModelReadyAnswer(model, isReady), statusCode: isReady ? 200 : 503);
    }

    private static async Task InferAsync(
        string model, string? version, HttpContext http, ModelHost host, Predictor predictor, Logbook logbook,
        TimeProvider time, CancellationToken ct)
    {
        var call = Call.Begin(http.Request, "rest", time);
        Workspace? used = null;
        try
        {
            using var body = await RequestBody.ReadAsync(http.Request, ct);
            using var lease = await host.AcquireAsync(model, call.SelectorOf(version), ct);
            var found = lease.Model;
            using var workspace = used = found.RentWorkspace(time.GetTimestamp());
            var request = Read(http.Request, body.Span, workspace);
            RequestedOutputs.Check(found, request.Outputs);
            call = call.Explained(request.Explain);
            var prediction = await predictor.PredictAsync(found, workspace, call, ct);
            call.Announce(prediction, http.Response.Headers);
            var jsonLength = InferAnswer.Write(workspace.Answer, request, prediction);

            if (jsonLength is { } length) http.Response.Headers[BinaryTail.LengthHeader] = length.ToString(CultureInfo.InvariantCulture);
            await Answers.SendAsync(
                http, jsonLength is null ? "application/json" : "application/octet-stream", workspace.Answer.WrittenMemory, ct);
            prediction.Answered(call, time);
        }
        catch (Exception e) when (logbook.AddFailure(used, call, e))
        {
            throw;
        }
    }

    private static InferJsonRequest Read(HttpRequest request, ReadOnlySpan<byte> body, Workspace workspace)
    {
        var jsonLength = BinaryTail.JsonLength(request, body.Length);
        if (jsonLength < 0) return InferJson.Read(body, [], workspace);
        if (jsonLength > 0) return InferJson.Read(body[..jsonLength], body[jsonLength..], workspace);
        BinaryTail.ReadAll(body, workspace);
        return new InferJsonRequest(null, [], IsBinary: true);
    }

    internal sealed record ServerAnswer(string Name, string Version, string[] Extensions);

    internal sealed record LiveAnswer(bool Live);

    // The specification's text calls it live, clients read ready.
    internal sealed record ReadyAnswer(bool Live, bool Ready);

    internal sealed record ModelsAnswer(IEnumerable<string> Models);

    internal sealed record ModelReadyAnswer(string Name, bool Ready);

    internal sealed record ModelAnswer(
        string Name, IReadOnlyList<string> Versions, string Platform, IEnumerable<TensorAnswer> Inputs, IEnumerable<TensorAnswer> Outputs,
        IDictionary<string, string> Properties);

    internal sealed record TensorAnswer(string Name, string Datatype, long[] Shape)
    {
        public static TensorAnswer Of(TensorLayout layout) => new(layout.Name, layout.Datatype.Name, layout.Shape);
    }
}
