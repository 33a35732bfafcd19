using System.Text.Json;

namespace MlOps.Gateway.Access;

/// <summary>
/// A JSON body that may be left out. Bound as a parameter it would make routing ask for a content type, and a request without
/// either would find no route.
/// </summary>
internal static class OptionalBody
{
    /// <exception cref="BadHttpRequestException">There is a body, and it is not the JSON that is meant.</exception>
    public static async Task<T?> ReadAsync<T>(HttpRequest request, CancellationToken ct) where T : class
    {
        if (!request.HasJsonContentType())
        {
            return request.ContentLength is null or 0 && request.ContentType is null
                ? null
                : throw new BadHttpRequestException("The body must be application/json, or left out.", StatusCodes.Status415UnsupportedMediaType);
        }

        try
        {
            return await request.ReadFromJsonAsync<T>(ct);
        }
        catch (JsonException e)
        {
            throw new BadHttpRequestException($"The body is not the JSON that is meant: {e.Message}", e);
        }
    }
}
