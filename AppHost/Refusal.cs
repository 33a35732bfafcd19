using System.Diagnostics.CodeAnalysis;

namespace MlOps.AppHost;

/// <summary>Ends the program, before anything was started, with a sentence for the person who has to do something.</summary>
internal static class Refusal
{
    [DoesNotReturn]
    public static void Because(string message, int exitCode = 1)
    {
        Console.Error.WriteLine(message);
        Environment.Exit(exitCode);
    }
}
