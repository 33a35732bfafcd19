namespace MlOps.TestServers;

/// <summary>
/// A namespace of a test class's own on the shared broker: services that get <see cref="Value"/> as <c>Bus:Prefix</c>
/// name every exchange and queue with it. The names stay behind on the broker.
/// </summary>
public sealed class BusPrefix<TTest>
{
    public string Value { get; } = UniqueName.For(typeof(TTest)) + "-";
}
