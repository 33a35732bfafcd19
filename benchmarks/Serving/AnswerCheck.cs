using System.Globalization;
using System.Net.Http.Headers;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json.Nodes;
using Grpc.Core;
using Grpc.Net.Client;
using MlOps.Contracts.OpenInference;

namespace MlOps.Benchmarks.Serving;

/// <summary>
/// Asks a server over every protocol it has and holds its predictions against the scalar reference, within 1e-5 relative: XGBoost and
/// ours add in the reference's order, ONNX Runtime adds the base score last.
/// </summary>
internal static class AnswerCheck
{
    private const string KeyHeader = "x-api-key";

    /// <exception cref="BenchException">It answers something else.</exception>
    public static async Task RunAsync(Server server, ServedModel model, float[] rows, CancellationToken ct)
    {
        var expected = model.Predict(rows);
        using var http = new HttpClient();
        using var content = new ByteArrayContent(Encoding.UTF8.GetBytes(ServedRequest.Json(rows)));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        if (server.Key.Length > 0) http.DefaultRequestHeaders.Add(KeyHeader, server.Key);
        using var answer = await http.PostAsync(new Uri(server.Rest + ServedRequest.RestPath), content, ct);
        var text = await answer.Content.ReadAsStringAsync(ct);
        if (!answer.IsSuccessStatusCode) throw new BenchException($"{server.Name} says {text}");
        var values = JsonNode.Parse(text)?["outputs"]?[0]?["data"] as JsonArray ?? throw new BenchException($"{server.Name} says {text}");
        Check(server, expected, [.. values.Select(v => float.Parse(v?.ToJsonString() ?? "", CultureInfo.InvariantCulture))]);
        if (server.Grpc.Length == 0) return;
        using var channel = GrpcChannel.ForAddress(server.Grpc);
        var byGrpc = await new GRPCInferenceService.GRPCInferenceServiceClient(channel).ModelInferAsync(
            ServedRequest.Message(rows), server.Key.Length > 0 ? new Metadata { { KeyHeader, server.Key } } : null, cancellationToken: ct);
        Check(server, expected, MemoryMarshal.Cast<byte, float>(byGrpc.RawOutputContents[0].Span));
    }

    private static void Check(Server server, float[] expected, ReadOnlySpan<float> actual)
    {
        if (actual.Length != expected.Length) throw new BenchException($"{server.Name} answers {actual.Length} predictions, not {expected.Length}");
        for (var i = 0; i < expected.Length; i++)
        {
            if (!(Math.Abs(actual[i] - expected[i]) <= 1e-5 * Math.Max(1, Math.Abs(expected[i]))))
                throw new BenchException($"{server.Name} predicts {actual[i]:R} for row {i}, the reference {expected[i]:R}");
        }
    }
}
