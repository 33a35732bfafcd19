using System.Text.Json;

namespace MlOps.Numerics.Profiles;

/// <summary>
/// What a model's inputs, predictions and label looked like when it was trained: the baseline of its drift.
/// </summary>
public sealed record ReferenceProfile
{
    public required IReadOnlyList<FeatureProfile> Features { get; init; }

    /// <summary>The model's own predictions on the reference rows.</summary>
    public FeatureProfile? Predictions { get; init; }

    public FeatureProfile? Label { get; init; }

    /// <summary>Reads what <see cref="ToJson"/> wrote.</summary>
    /// <exception cref="JsonException">Not a profile.</exception>
    public static ReferenceProfile FromJson(ReadOnlySpan<byte> json) =>
        JsonSerializer.Deserialize(json, ProfileJson.Default.ReferenceProfile)
            ?? throw new JsonException("A reference profile is an object, not null.");

    /// <summary>UTF-8 JSON, the same bytes for the same profile; doubles keep every bit.</summary>
    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, ProfileJson.Default.ReferenceProfile);
}
