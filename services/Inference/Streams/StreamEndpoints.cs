using MlOps.Contracts.Inference.V1;
using MlOps.Inference.BatchJobs;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Streams;

/// <summary>Streams over REST: the same messages as over gRPC, in Protocol Buffers' JSON form.</summary>
internal static class StreamEndpoints
{
    public static void Map(IEndpointRouteBuilder app)
    {
        var streams = app.MapGroup("/v1/streams").WithTags("Stream scoring");
        streams.MapGet("", async (StreamBook book, CancellationToken ct) =>
            ContractJson.Answer(new ListStreamsResponse { Streams = { await book.ListAsync(ct) } })).WithSummary("All streams");
        streams.MapGet("/{model}", async (string model, StreamBook book, CancellationToken ct) =>
            ContractJson.Answer(await book.GetAsync(model, ct))).WithSummary("A model's stream and its queues");
        streams.MapPut("/{model}", PutAsync).WithSummary("Creates or replaces a model's stream");
        streams.MapDelete("/{model}", async (string model, StreamBook book, CancellationToken ct) =>
        {
            await book.DeleteAsync(model, ct);
            return TypedResults.NoContent();
        }).WithSummary("Ends a model's stream; its queues stay");
    }

    private static async Task<IResult> PutAsync(string model, HttpContext http, StreamBook book, CancellationToken ct)
    {
        var stream = await ContractJson.ReadAsync<ModelStream>(http.Request, ct);
        if (stream.Model.Length > 0 && stream.Model != model)
        {
            throw new InvalidRequestException("STREAM_INVALID", [new FieldViolation("model", "must be the one of the path")]);
        }

        stream.Model = model;
        return ContractJson.Answer(await book.PutAsync(stream, ct));
    }
}
