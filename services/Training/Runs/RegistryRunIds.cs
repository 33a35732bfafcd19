using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace MlOps.Training.Runs;

/// <summary>
/// Ids of registry runs, derived from the training run: whoever repeats a step after a crash finds the run of the first try.
/// A name-based id as in RFC 9562, section 5.8 (version 8), over SHA-256; 32 hex digits.
/// </summary>
internal static class RegistryRunIds
{
    /// <summary>The run that stands for the training run itself; its trials and baselines are its children.</summary>
    internal static string ForTrainingRun(Guid trainingRun) => Of(trainingRun, "run");

    internal static string ForTrial(Guid trainingRun, int number) =>
        Of(trainingRun, string.Create(CultureInfo.InvariantCulture, $"trial/{number}"));

    internal static string ForBaseline(Guid trainingRun, string baseline) => Of(trainingRun, $"baseline/{baseline}");

    private static string Of(Guid trainingRun, string name)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{trainingRun:N}/{name}")).AsSpan(0, 16);
        hash[6] = (byte)(hash[6] & 0x0F | 0x80);
        hash[8] = (byte)(hash[8] & 0x3F | 0x80);
        return Convert.ToHexStringLower(hash);
    }
}
