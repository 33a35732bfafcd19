namespace MlOps.Flights;

/// <summary>The platform did not do what the demo shows; the message says what was expected and what came.</summary>
internal sealed class DemoException(string message) : Exception(message)
{
    public static void Unless(bool holds, string message)
    {
        if (!holds) throw new DemoException(message);
    }
}
