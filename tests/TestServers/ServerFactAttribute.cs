using Xunit;

namespace MlOps.TestServers;

/// <summary>A fact on real servers: skipped with the way out where there are none, failed where they are required.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ServerFactAttribute : FactAttribute
{
    public ServerFactAttribute() => Skip = Servers.SkipReason;
}

/// <summary>A theory on real servers: skipped with the way out where there are none, failed where they are required.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ServerTheoryAttribute : TheoryAttribute
{
    public ServerTheoryAttribute() => Skip = Servers.SkipReason;
}
