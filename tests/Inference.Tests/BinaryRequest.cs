using System.Globalization;
using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace MlOps.Inference.Tests;

/// <summary>An answer of the binary tensor extension: its JSON, and each output's bytes where it came in binary.</summary>
internal sealed record BinaryReply(HttpStatusCode Status, JsonElement Json, bool HasHeader, string? Encoding, byte[][] Tensors);

/// <summary>Requests of the binary tensor extension as its clients send them.</summary>
internal static class BinaryRequest
{
    /// <summary>JSON that names the tensors' sizes, and the tensors.</summary>
    public static (byte[] Json, byte[] Binary) Of(IEnumerable<Tensor> tensors, Action<JsonObject>? change = null)
    {
        var inputs = new JsonArray();
        var binary = new List<byte>();
        foreach (var t in tensors)
        {
            byte[] raw = [.. t.Values.SelectMany(v => Tensor.Raw(t.Datatype, v))];
            binary.AddRange(raw);
            inputs.Add(new JsonObject
            {
                ["name"] = t.Name,
                ["shape"] = new JsonArray([.. t.Shape.Select(s => (JsonNode)s)]),
                ["datatype"] = t.Datatype,
                ["parameters"] = new JsonObject { ["binary_data_size"] = raw.Length },
            });
        }

        var request = new JsonObject { ["inputs"] = inputs, ["parameters"] = new JsonObject { ["binary_data_output"] = true } };
        change?.Invoke(request);
        return (Encoding.UTF8.GetBytes(request.ToJsonString()), [.. binary]);
    }

    public static Task<BinaryReply> PostBinaryAsync(this HttpClient http, string path, (byte[] Json, byte[] Binary) parts) =>
        http.PostBytesAsync(path, [.. parts.Json, .. parts.Binary], parts.Json.Length.ToString(CultureInfo.InvariantCulture));

    public static async Task<BinaryReply> PostBytesAsync(
        this HttpClient http, string path, byte[] body, string? headerLength, string? encoding = null, string? accept = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(path, UriKind.Relative))
        {
            Content = new ByteArrayContent(encoding is null ? body : Compress(body, encoding)),
        };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        if (encoding is not null) request.Content.Headers.ContentEncoding.Add(encoding);
        if (headerLength is not null) request.Headers.TryAddWithoutValidation("Inference-Header-Content-Length", headerLength);
        if (accept is not null) request.Headers.TryAddWithoutValidation("Accept-Encoding", accept);
        using var answer = await http.SendAsync(request);
        var answered = answer.Content.Headers.ContentEncoding.SingleOrDefault();
        var bytes = await ReadAsync(await answer.Content.ReadAsStreamAsync(), answered);
        var hasHeader = answer.Headers.TryGetValues("Inference-Header-Content-Length", out var lengths);
        var jsonLength = hasHeader ? int.Parse(lengths!.Single(), CultureInfo.InvariantCulture) : bytes.Length; // Given when it has.
        using var json = JsonDocument.Parse(bytes.AsMemory(0, jsonLength));
        return new BinaryReply(
            answer.StatusCode, json.RootElement.Clone(), hasHeader, answered, TensorsOf(json.RootElement, bytes.AsSpan(jsonLength)));
    }

    public static byte[] Compress(byte[] body, string encoding)
    {
        using var compressed = new MemoryStream();
        using (Stream to = encoding == "gzip"
            ? new GZipStream(compressed, CompressionLevel.Fastest)
            : new ZLibStream(compressed, CompressionLevel.Fastest))
        {
            to.Write(body);
        }

        return compressed.ToArray();
    }

    private static async Task<byte[]> ReadAsync(Stream body, string? encoding)
    {
        using var plain = new MemoryStream();
        await using var from = encoding switch
        {
            "gzip" => new GZipStream(body, CompressionMode.Decompress),
            "deflate" => new ZLibStream(body, CompressionMode.Decompress),
            _ => body,
        };
        await from.CopyToAsync(plain);
        return plain.ToArray();
    }

    private static byte[][] TensorsOf(JsonElement json, ReadOnlySpan<byte> rest)
    {
        if (!json.TryGetProperty("outputs", out var outputs)) return [];
        var tensors = new List<byte[]>();
        foreach (var output in outputs.EnumerateArray())
        {
            if (!output.TryGetProperty("parameters", out var parameters)) continue;
            var size = parameters.GetProperty("binary_data_size").GetInt32();
            tensors.Add(rest[..size].ToArray());
            rest = rest[size..];
        }

        Assert.True(rest.IsEmpty, "The answer has no bytes beyond its outputs.");
        return [.. tensors];
    }
}
