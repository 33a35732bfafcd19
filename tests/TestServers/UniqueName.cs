using System.Text.RegularExpressions;

namespace MlOps.TestServers;

internal static partial class UniqueName
{
    /// <summary>A lower-case name that tells the test class and no other run has: <c>drift_tests_3f9a01bc</c>, at most 57 characters.</summary>
    public static string For(Type test)
    {
        var words = WordStart().Replace(test.Name, "_$0").Replace('`', '_').Trim('_').ToLowerInvariant();
        return $"{words[..Math.Min(words.Length, 48)]}_{Guid.NewGuid():N}"[..(Math.Min(words.Length, 48) + 9)];
    }

    [GeneratedRegex("(?<=[a-z0-9])[A-Z]")]
    private static partial Regex WordStart();
}
