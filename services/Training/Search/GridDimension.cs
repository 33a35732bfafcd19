namespace MlOps.Training.Search;

/// <summary>A parameter of the search and the values it may take.</summary>
internal sealed record GridDimension(string Parameter, IReadOnlyList<string> Values);
