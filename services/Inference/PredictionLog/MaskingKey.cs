using System.Security.Cryptography;
using Microsoft.Extensions.Options;
using MlOps.Contracts.Monitoring.V1;

namespace MlOps.Inference.PredictionLog;

/// <summary>
/// Replaces personal texts by a keyed hash: HMAC-SHA256 (RFC 2104), its first 16 bytes. Equal texts stay equal, and nobody
/// without the key can try out which text it was. The key is configured, or made once in the storage folder.
/// </summary>
internal sealed class MaskingKey(IConfiguration configuration, IOptions<InferenceOptions> options)
{
    /// <summary>Bytes of a masked text.</summary>
    public const int MaskedLength = 7 + (2 * HashBytes);

    private const string FileName = "masking.key";
    private const int HashBytes = 16;
    private readonly byte[] _key = Read(configuration, options.Value);

    /// <summary>Writes <see cref="MaskedLength"/> ASCII bytes; a text without characters stays what it is, and 0 is answered.</summary>
    public int Mask(ReadOnlySpan<byte> text, Span<byte> masked)
    {
        if (text.IsEmpty) return 0;
        Span<byte> hash = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(_key, text, hash);
        PredictionRecord.MaskedPrefixUtf8.CopyTo(masked);
        Convert.TryToHexStringLower(hash[..HashBytes], masked[PredictionRecord.MaskedPrefixUtf8.Length..], out _);
        return MaskedLength;
    }

    private static byte[] Read(IConfiguration configuration, InferenceOptions options)
    {
        if (options.MaskingKey.Length > 0) return Convert.FromBase64String(options.MaskingKey);
        var storage = configuration["Storage:Folder"] ?? throw new InvalidOperationException("Storage:Folder is not set.");
        var path = Path.Combine(storage, FileName);
        if (!File.Exists(path)) Make(path);
        return File.ReadAllBytes(path);
    }

    // Whole or not there, and the first of several replicas wins.
    private static void Make(string path)
    {
        var temporary = $"{path}.{Guid.NewGuid():N}";
        var alone = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows()) alone.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using (var file = new FileStream(temporary, alone)) file.Write(RandomNumberGenerator.GetBytes(32));

        try
        {
            File.Move(temporary, path, overwrite: false);
        }
        catch (IOException) when (File.Exists(path))
        {
            File.Delete(temporary);
        }
    }
}
