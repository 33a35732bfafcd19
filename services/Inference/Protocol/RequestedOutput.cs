namespace MlOps.Inference.Protocol;

/// <summary>An output asked for by name; whether as binary is null where the request as a whole decides.</summary>
internal readonly record struct RequestedOutput(string Name, bool? IsBinary);
