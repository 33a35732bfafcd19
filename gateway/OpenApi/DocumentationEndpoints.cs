namespace MlOps.Gateway.OpenApi;

/// <summary><c>/openapi.json</c>, and <c>/docs</c> to browse it; the page loads nothing from elsewhere.</summary>
internal static class DocumentationEndpoints
{
    public static void MapDocumentation(this WebApplication app)
    {
        app.MapGet("/openapi.json", Document).WithTags("Documentation").WithSummary("This document: OpenAPI 3.1 of everything served over REST");
        MapPage(app, "/docs", "docs.html", "text/html; charset=utf-8");
        MapPage(app, "/docs/docs.js", "docs.js", "text/javascript; charset=utf-8");
        MapPage(app, "/docs/docs.css", "docs.css", "text/css; charset=utf-8");
    }

    private static IResult Document(ApiDocument document, HttpContext http)
    {
        http.Response.Headers.ETag = document.Tag;
        http.Response.Headers.CacheControl = "no-cache";
        return http.Request.Headers.IfNoneMatch == document.Tag
            ? TypedResults.StatusCode(StatusCodes.Status304NotModified)
            : TypedResults.Bytes(document.Bytes, "application/json");
    }

    private static void MapPage(WebApplication app, string path, string resource, string type)
    {
        using var stream = typeof(DocumentationEndpoints).Assembly.GetManifestResourceStream($"pages/{resource}")
            ?? throw new InvalidOperationException($"{resource} is not in the assembly.");
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        app.MapGet(path, () => TypedResults.Bytes(bytes, type)).ExcludeFromDescription();
    }
}
