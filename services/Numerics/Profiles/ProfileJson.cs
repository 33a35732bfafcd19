using System.Text.Json.Serialization;

namespace MlOps.Numerics.Profiles;

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    UseStringEnumConverter = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true)]
[JsonSerializable(typeof(ReferenceProfile))]
internal sealed partial class ProfileJson : JsonSerializerContext;
