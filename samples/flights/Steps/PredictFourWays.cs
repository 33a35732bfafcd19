using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using Google.Protobuf;
using MlOps.Contracts.Inference.V1;
using MlOps.Contracts.OpenInference;
using MlOps.Contracts.Tables.V1;

namespace MlOps.Flights.Steps;

/// <summary>
/// Step 5: the same flights by entity keys and by tensors, over gRPC and over REST; all four answers equal to the bit.
/// </summary>
internal static class PredictFourWays
{
    public sealed record Outcome(IReadOnlyList<Example> Examples, int Predictions);

    public sealed record Example(string Flight, double Delay, float Prediction, string Version);

    public static async Task<Outcome> RunAsync(
        Platform platform, Progress progress, IReadOnlyList<Flight> flights, CancellationToken ct)
    {
        var byKeys = await platform.Inference.PredictAsync(
            new PredictRequest
            {
                Model = TrainModel.Model,
                Rows = BuildTrainingSet.Rows(flights, withLabel: false),
                IncludeFeatures = true,
            },
            Platform.Within(10, ct));
        var predictions = byKeys.Outputs.Columns[0].Doubles.Values.Select(v => (float)v).ToArray();
        DemoException.Unless(predictions.Length == flights.Count, $"expected {flights.Count} predictions, got {predictions.Length}");

        Compare("REST by entity keys", predictions, await RestByKeysAsync(platform, flights, ct));
        Compare("gRPC by tensors", predictions, await GrpcByTensorsAsync(platform, byKeys.Features, ct));
        Compare("REST by tensors", predictions, await RestByTensorsAsync(platform, byKeys.Features, ct));

        var examples = flights.Zip(predictions, (f, p) => new Example(
            $"{f.Origin} → {f.Destination}, {f.DepartedAt:yyyy-MM-dd HH:mm}", f.Delay, p, byKeys.Version)).ToList();
        foreach (var e in examples.Take(3)) progress.Line($"{e.Flight}: predicted {e.Prediction:0.0} min, was {e.Delay:0}");
        progress.Line($"{flights.Count} flights × 4 ways (keys or tensors, REST or gRPC): equal to the bit");
        return new Outcome(examples, flights.Count * 4);
    }

    private static async Task<float[]> RestByKeysAsync(Platform platform, IReadOnlyList<Flight> flights, CancellationToken ct)
    {
        var rows = flights.Select(RowOf);
        using var answer = await platform.Rest.PostAsJsonAsync($"/v1/models/{TrainModel.Model}/predict", new { rows }, ct);
        var json = await ReadAsync(answer, ct);
        return Singles(json["predictions"]);
    }

    /// <summary>What the REST interface is told of a flight; the platform looks the rest up.</summary>
    public static object RowOf(Flight f) => new
    {
        origin = f.Origin,
        destination = f.Destination,
        distance = f.Distance,
        departure_hour = f.DepartureHour,
        departure_weekday = f.DepartureWeekday,
    };

    private static async Task<float[]> GrpcByTensorsAsync(Platform platform, Table vectors, CancellationToken ct)
    {
        var request = new ModelInferRequest { ModelName = TrainModel.Model };
        foreach (var column in InInputOrder(vectors))
        {
            var isText = column.ValuesCase == Column.ValuesOneofCase.Texts;
            var count = isText ? column.Texts.Values.Count : column.Doubles.Values.Count;
            var tensor = new ModelInferRequest.Types.InferInputTensor
            {
                Name = column.Name,
                Datatype = isText ? "BYTES" : "FP32",
                Shape = { count, 1 },
                Contents = new InferTensorContents(),
            };
            if (isText) tensor.Contents.BytesContents.AddRange(column.Texts.Values.Select(ByteString.CopyFromUtf8));
            else tensor.Contents.Fp32Contents.AddRange(Enumerable.Range(0, count).Select(r => (float)column.NumberAt(r)));
            request.Inputs.Add(tensor);
        }

        var answer = await platform.OpenInference.ModelInferAsync(request, Platform.Within(10, ct));
        return [.. answer.Outputs[0].Contents.Fp32Contents];
    }

    private static async Task<float[]> RestByTensorsAsync(Platform platform, Table vectors, CancellationToken ct)
    {
        var inputs = new JsonArray();
        foreach (var column in InInputOrder(vectors))
        {
            var isText = column.ValuesCase == Column.ValuesOneofCase.Texts;
            var count = isText ? column.Texts.Values.Count : column.Doubles.Values.Count;
            // JSON knows no NaN: a missing number is null.
            var values = Enumerable.Range(0, count).Select(row => isText
                ? JsonValue.Create(column.Texts.Values[row])
                : double.IsNaN(column.NumberAt(row)) ? null : (JsonNode)JsonValue.Create((float)column.NumberAt(row)));
            inputs.Add(new JsonObject
            {
                ["name"] = column.Name,
                ["datatype"] = isText ? "BYTES" : "FP32",
                ["shape"] = new JsonArray(count, 1),
                ["data"] = new JsonArray([.. values]),
            });
        }

        using var answer = await platform.Rest.PostAsJsonAsync(
            $"/v2/models/{TrainModel.Model}/infer", new JsonObject { ["inputs"] = inputs }, ct);
        var json = await ReadAsync(answer, ct);
        return Singles(json["outputs"]?[0]?["data"]);
    }

    private static IEnumerable<Column> InInputOrder(Table vectors) => TrainModel.InputNames.Select(vectors.Named);

    private static async Task<JsonNode> ReadAsync(HttpResponseMessage answer, CancellationToken ct)
    {
        var text = await answer.Content.ReadAsStringAsync(ct);
        DemoException.Unless(answer.IsSuccessStatusCode, $"the gateway answered {(int)answer.StatusCode}: {text}");
        return JsonNode.Parse(text) ?? throw new DemoException("the gateway answered null");
    }

    // The shortest text of a float32 reads back as the same float32.
    private static float[] Singles(JsonNode? values) => values is JsonArray array
        ? [.. array.Select(v => float.Parse((v ?? throw new DemoException("a prediction is null")).ToJsonString(), CultureInfo.InvariantCulture))]
        : throw new DemoException($"expected an array of predictions, got {values?.ToJsonString(JsonSerializerOptions.Default) ?? "nothing"}");

    private static void Compare(string way, float[] expected, float[] actual)
    {
        DemoException.Unless(expected.Length == actual.Length, $"{way}: expected {expected.Length} predictions, got {actual.Length}");
        for (var i = 0; i < expected.Length; i++)
        {
            DemoException.Unless(
                BitConverter.SingleToInt32Bits(expected[i]) == BitConverter.SingleToInt32Bits(actual[i]),
                $"{way}: row {i} is {actual[i]:R}, by keys over gRPC it was {expected[i]:R}");
        }
    }
}
