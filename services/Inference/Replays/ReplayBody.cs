using System.Text.Json;
using MlOps.Contracts.Inference.V1;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Replays;

/// <summary>A replay as REST asks for it, e.g. <c>{"from":"2025-03-01T00:00:00Z","sample_size":200,"threshold":15}</c>.</summary>
internal sealed record ReplayBody
{
    private static readonly JsonSerializerOptions Snake = new(JsonSerializerDefaults.Web)
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = System.Text.Json.Serialization.JsonUnmappedMemberHandling.Disallow,
    };

    public string[]? PredictionIds { get; init; }

    public string? LoggedVersion { get; init; }

    public DateTimeOffset? From { get; init; }

    public DateTimeOffset? To { get; init; }

    public int? SampleSize { get; init; }

    public long? Seed { get; init; }

    public double? Threshold { get; init; }

    /// <exception cref="InvalidRequestException">JSON_INVALID: not JSON, or not of this form.</exception>
    public static ReplayRequest Read(ReadOnlySpan<byte> json, string model, string? version)
    {
        ReplayBody body;
        try
        {
            body = JsonSerializer.Deserialize<ReplayBody>(json, Snake) ?? new ReplayBody();
        }
        catch (JsonException e)
        {
            throw new InvalidRequestException("JSON_INVALID", $"The body is not a replay: {e.Message}");
        }

        var request = new ReplayRequest
        {
            Model = model,
            Version = version ?? "",
            LoggedVersion = body.LoggedVersion ?? "",
            FromMicros = MicrosOf(body.From),
            ToMicros = MicrosOf(body.To),
            SampleSize = body.SampleSize ?? 0,
            Seed = body.Seed ?? 0,
        };
        foreach (var id in body.PredictionIds ?? []) request.PredictionIds.Add(id ?? "");
        if (body.Threshold is { } threshold) request.Threshold = threshold;
        return request;
    }

    private static long MicrosOf(DateTimeOffset? time) =>
        time is { } at ? (at - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond : 0;
}
