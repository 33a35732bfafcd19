namespace MlOps.Inference.Admission;

/// <summary>Marks an endpoint whose requests are predictions, so that the gate lets them in or refuses them.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class PredictsAttribute : Attribute;
