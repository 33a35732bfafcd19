using System.Buffers.Text;
using System.Security.Cryptography;

namespace MlOps.AppHost;

/// <summary>Passwords made once, each in a file of its own that only its owner can read.</summary>
internal sealed class Secrets(string folder)
{
    private const int Bytes = 24;

    /// <summary>The secret of that name, 32 URL-safe characters; made at the first call.</summary>
    public string this[string name]
    {
        get
        {
            var path = Path.Combine(folder, name);
            if (!File.Exists(path))
                Write(path, Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(Bytes)));
            return File.ReadAllText(path).Trim();
        }
    }

    /// <summary>The key that opens the gateway to its administrator, in the form that it asks of keys; made at the first call.</summary>
    public string AdminKey
    {
        get
        {
            if (!File.Exists(AdminKeyFile))
            {
                var name = RandomNumberGenerator.GetString("abcdefghijklmnopqrstuvwxyz234567", 16);
                Write(AdminKeyFile, $"mlops_{name}_{Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32))}");
            }

            return File.ReadAllText(AdminKeyFile).Trim();
        }
    }

    /// <summary>Where <see cref="AdminKey"/> is kept.</summary>
    public string AdminKeyFile => Path.Combine(folder, "admin-key");

    // Whole or not at all: a half-written password would lock the servers' data.
    private static void Write(string path, string secret)
    {
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using (var file = new StreamWriter(path + ".new", options))
            file.Write(secret);
        File.Move(path + ".new", path);
    }
}
