namespace MlOps.Inference.Protocol;

/// <summary>Sends JSON that is written already.</summary>
internal static class JsonAnswer
{
    public static async ValueTask SendAsync(HttpResponse response, ReadOnlyMemory<byte> json, CancellationToken ct)
    {
        response.ContentType = "application/json";
        response.ContentLength = json.Length;
        await response.BodyWriter.WriteAsync(json, ct);
    }
}
