namespace MlOps.Numerics.Assignment;

/// <summary>One side of a traffic split and its share, 0 to 1, of the subjects at full coverage.</summary>
public sealed record Arm(string Name, double Weight);
