namespace Aspire.Hosting.Local;

/// <summary>One line per change of state, for the person at the terminal.</summary>
internal sealed class Screen(TextWriter output)
{
    private readonly Lock _lock = new();

    public void Say(string resource, string what, IReadOnlyCollection<string>? details = null)
    {
        lock (_lock)
        {
            output.WriteLine($"{resource,-13} {what}");
            foreach (var line in details ?? [])
                output.WriteLine($"{"",-13} | {line}");
            output.Flush();
        }
    }
}
