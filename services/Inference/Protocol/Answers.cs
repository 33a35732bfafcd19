namespace MlOps.Inference.Protocol;

/// <summary>Sends answers that are written already, compressed where the caller asks for it and they are large.</summary>
internal static class Answers
{
    public static ValueTask SendJsonAsync(HttpContext http, ReadOnlyMemory<byte> json, CancellationToken ct) =>
        SendAsync(http, "application/json", json, ct);

    public static async ValueTask SendAsync(HttpContext http, string contentType, ReadOnlyMemory<byte> body, CancellationToken ct)
    {
        var response = http.Response;
        response.ContentType = contentType;
        if (body.Length >= BodyEncoding.MinBytes && BodyEncoding.Choose(http.Request) is { } encoding)
        {
            response.Headers.ContentEncoding = encoding;
            response.Headers.Vary = "Accept-Encoding";
            var compressed = BodyEncoding.Compress(body.Span, encoding);
            body = compressed.GetBuffer().AsMemory(0, (int)compressed.Length);
        }

        response.ContentLength = body.Length;
        await response.BodyWriter.WriteAsync(body, ct);
    }
}
