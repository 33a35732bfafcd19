using System.Text.Json;
using Microsoft.ML.OnnxRuntime.Tensors;
using MlOps.Contracts.Inference.V1;
using MlOps.Inference.Admission;
using MlOps.Inference.Explanations;
using MlOps.Inference.Models;
using MlOps.Inference.PredictionLog;
using MlOps.Inference.Predictions;

namespace MlOps.Inference.Protocol;

/// <summary>Predictions by entity keys over REST. Numbers are the same doubles as over gRPC.</summary>
internal static class PredictEndpoints
{
    private static readonly JsonWriterOptions Fast = new() { SkipValidation = true };

    public static void Map(IEndpointRouteBuilder app)
    {
        var v1 = app.MapGroup("/v1/models/{model}").WithTags("Predictions by entity");
        v1.MapPost("/predict", PredictAsync).WithMetadata(new PredictsAttribute()).WithSummary("Predicts from rows of entity keys and features");
        v1.MapPost("/versions/{version}/predict", PredictAsync).WithMetadata(new PredictsAttribute()).WithSummary("The same by a chosen version or alias");
        v1.MapPost("/explain", ExplainAsync).WithMetadata(new PredictsAttribute()).WithSummary("Says what the values of rows contribute to their predictions, and logs none");
        v1.MapPost("/versions/{version}/explain", ExplainAsync).WithMetadata(new PredictsAttribute()).WithSummary("The same by a chosen version or alias");
    }

    private static Task PredictAsync(
        string model, string? version, HttpContext http, ModelHost host, PredictRows predictRows, Predictor predictor,
        Logbook logbook, TimeProvider time, CancellationToken ct) =>
        AnswerAsync(model, version, http, Call.Begin(http.Request, "rest", time), host, predictRows, predictor, logbook, time, ct);

    private static Task ExplainAsync(
        string model, string? version, HttpContext http, ModelHost host, PredictRows predictRows, Predictor predictor,
        Logbook logbook, TimeProvider time, CancellationToken ct) =>
        AnswerAsync(
            model, version, http, Call.Begin(http.Request, "rest", time) with { OnlyExplains = true }, host, predictRows, predictor, logbook, time, ct);

    private static async Task AnswerAsync(
        string model, string? version, HttpContext http, Call call, ModelHost host, PredictRows predictRows, Predictor predictor,
        Logbook logbook, TimeProvider time, CancellationToken ct)
    {
        Workspace? used = null;
        try
        {
            using var body = await RequestBody.ReadAsync(http.Request, ct);
            using var lease = await host.AcquireAsync(model, call.SelectorOf(version), ct);
            var found = lease.Model;
            using var workspace = used = found.RentWorkspace(time.GetTimestamp());
            var request = RowsJson.Read(body.Span);
            call = call.Explained(request.Explain);
            var features = await predictRows.FillAsync(workspace, request.Rows, request.MaxAgeSeconds, ct);
            var prediction = await predictor.PredictAsync(found, workspace, call, ct);
            call.Announce(prediction, http.Response.Headers);
            Write(request, call, workspace, prediction, features);

            await Answers.SendJsonAsync(http, workspace.Answer.WrittenMemory, ct);
            prediction.Answered(call, time);
        }
        catch (Exception e) when (logbook.AddFailure(used, call, e))
        {
            throw;
        }
    }

    private static void Write(
        RowsJsonRequest request, Call call, Workspace workspace, Prediction prediction, LookedUp? features)
    {
        using var writer = new Utf8JsonWriter(workspace.Answer, Fast);
        writer.WriteStartObject();
        writer.WriteString("model"u8, prediction.Model.Model);
        writer.WriteString("version"u8, prediction.Model.VersionText);
        writer.WriteString("variant"u8, call.Variant);
        if (!call.OnlyExplains) writer.WriteString("prediction_id"u8, prediction.Id);
        writer.WriteStartArray("predictions"u8);
        for (var row = 0; row < prediction.Rows; row++) PredictionRows.Write(writer, prediction, row);
        writer.WriteEndArray();
        if (prediction.Flags.Count > 0) WriteTexts(writer, "flags"u8, prediction.Flags);
        if (prediction.Explanation is { } explanation)
        {
            writer.WritePropertyName("explanation"u8);
            ExplanationJson.Write(writer, explanation);
        }

        if (request.IncludeFeatures) WriteFeatures(writer, request, prediction.Workspace, features);
        writer.WriteEndObject();
    }

    private static void WriteFeatures(
        Utf8JsonWriter writer, RowsJsonRequest request, Workspace workspace, LookedUp? features)
    {
        writer.WriteStartArray("features"u8);
        for (var row = 0; row < workspace.Rows; row++)
        {
            writer.WriteStartObject();
            foreach (var slot in workspace.Inputs) WriteFeature(writer, slot, row);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteStartArray("origins"u8);
        for (var i = 0; i < workspace.Inputs.Length; i++) WriteOrigin(writer, FeatureOrigins.Of(workspace, i, request.Rows, features));
        writer.WriteEndArray();
    }

    private static void WriteFeature(Utf8JsonWriter writer, InputSlot slot, int row)
    {
        var datatype = slot.Layout.Datatype;
        writer.WritePropertyName(slot.Layout.NameUtf8);
        if (datatype.IsText) writer.WriteStringValue(slot.Text(row));
        else if (datatype.Element == TensorElementType.Bool) writer.WriteBooleanValue(slot.Bytes[row] != 0);
        else if (datatype.IsFloating) PredictionRows.WriteNumber(writer, Tensors.NumberAt(datatype, slot.Bytes, row));
        else writer.WriteNumberValue(Tensors.IntegerAt(datatype, slot.Bytes, row));
    }

    private static void WriteOrigin(Utf8JsonWriter writer, FeatureOrigin origin)
    {
        writer.WriteStartObject();
        writer.WriteString("name"u8, origin.Name);
        writer.WriteString("source"u8, origin.Source);
        WriteTexts(writer, "statuses"u8, origin.Statuses);
        WriteIntegers(writer, "event_time_micros"u8, origin.EventTimeMicros);
        WriteIntegers(writer, "age_micros"u8, origin.AgeMicros);
        WriteTexts(writer, "fills"u8, origin.Fills);
        writer.WriteEndObject();
    }

    private static void WriteTexts(Utf8JsonWriter writer, ReadOnlySpan<byte> name, IEnumerable<string> texts)
    {
        writer.WriteStartArray(name);
        foreach (var text in texts) writer.WriteStringValue(text);
        writer.WriteEndArray();
    }

    private static void WriteIntegers(Utf8JsonWriter writer, ReadOnlySpan<byte> name, IEnumerable<long> integers)
    {
        writer.WriteStartArray(name);
        foreach (var integer in integers) writer.WriteNumberValue(integer);
        writer.WriteEndArray();
    }
}
