namespace MlOps.AppHost.Tests;

/// <summary>Looks processes up in <c>/proc</c>.</summary>
internal static class Processes
{
    /// <summary>Whether it runs; one that waits to be collected by its parent does not.</summary>
    public static bool IsAlive(int id)
    {
        try
        {
            // 4711 (sleep) S 1 …: the state follows the name in brackets.
            var stat = File.ReadAllText($"/proc/{id}/stat");
            return stat[(stat.LastIndexOf(')') + 2)] is not ('Z' or 'X');
        }
        catch (IOException)
        {
            return false;
        }
    }
}
