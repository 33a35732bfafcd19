using System.Text;
using Google.Protobuf;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.BatchJobs;

/// <summary>Messages of the contract over REST: Protocol Buffers' own JSON form, with the proto's names.</summary>
internal static class ContractJson
{
    private static readonly JsonFormatter Formatter =
        new(JsonFormatter.Settings.Default.WithPreserveProtoFieldNames(true).WithFormatDefaultValues(true));

    private static readonly JsonParser Parser = JsonParser.Default;

    /// <exception cref="InvalidRequestException">JSON_INVALID: no JSON, or not of this message.</exception>
    public static async Task<T> ReadAsync<T>(HttpRequest request, CancellationToken ct) where T : IMessage<T>, new()
    {
        using var reader = new StreamReader(request.Body, Encoding.UTF8);
        try
        {
            return Parser.Parse<T>(await reader.ReadToEndAsync(ct));
        }
        catch (Exception e) when (e is InvalidProtocolBufferException or InvalidJsonException)
        {
            throw new InvalidRequestException("JSON_INVALID", $"The body is not a {typeof(T).Name}: {e.Message}");
        }
    }

    public static string Write(IMessage message) => Formatter.Format(message);

    public static IResult Answer(IMessage message, int status = StatusCodes.Status200OK) =>
        TypedResults.Content(Write(message), "application/json; charset=utf-8", statusCode: status);
}
