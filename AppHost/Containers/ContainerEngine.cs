using System.ComponentModel;
using System.Diagnostics;

namespace MlOps.AppHost.Servers;

/// <summary>Finds a container engine by asking it: a client on the PATH may have no engine behind it.</summary>
internal static class ContainerEngine
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary><c>docker</c> or <c>podman</c>, or null when neither answers in time.</summary>
    public static string? ThatAnswers() => Array.Find(["docker", "podman"], Answers);

    private static bool Answers(string client)
    {
        try
        {
            using var question = Process.Start(new ProcessStartInfo(client, ["info"])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            question.BeginOutputReadLine();
            question.BeginErrorReadLine();
            if (question.WaitForExit(Patience))
                return question.ExitCode == 0;
            question.Kill();
            return false;
        }
        catch (Win32Exception)
        {
            return false;
        }
    }
}
