using System.Security.Cryptography;
using System.Text;

namespace MlOps.Contracts.Monitoring.V1;

/// <summary>How a subject stands in the log: by a hash, never by its key.</summary>
public static class HashedSubjects
{
    private const int Bytes = 16;

    /// <summary>The first 16 bytes of the SHA-256 of the key in UTF-8, as 32 hex digits in lower case; of an empty key nothing.</summary>
    public static string HashOf(string subject) => subject.Length == 0
        ? ""
        : Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(subject)).AsSpan(0, Bytes));
}
