using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.Extensions.Logging;

namespace MlOps.ServiceDefaults.Listening;

/// <summary>
/// The configured certificate with those it was issued by. When its file changes, connections from then on (at most half a
/// minute later) get the new one; while the new one cannot be read they get the old.
/// </summary>
internal sealed partial class ServerCertificate
{
    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(30);
    private readonly TlsOptions _options;
    private readonly TimeProvider _time;
    private readonly Lock _turn = new();
    private volatile SslStreamCertificateContext _current;
    private DateTime _writtenAt;
    private long _lookedAt;

    /// <exception cref="InvalidOperationException">The files hold no certificate with its private key.</exception>
    public ServerCertificate(TlsOptions options, TimeProvider time)
    {
        _options = options;
        _time = time;
        _lookedAt = time.GetTimestamp();
        _writtenAt = LastWrite();
        try
        {
            _current = Load();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException)
        {
            throw new InvalidOperationException(
                $"Tls:Certificate={options.Certificate} with its key cannot be read: {e.Message} PEM (with Tls:Key) and PFX are known.", e);
        }
    }

    public SslStreamCertificateContext Current(ILogger logger)
    {
        if (_time.GetElapsedTime(Volatile.Read(ref _lookedAt)) < LookInterval) return _current;
        lock (_turn)
        {
            if (_time.GetElapsedTime(_lookedAt) < LookInterval) return _current;
            _lookedAt = _time.GetTimestamp();
            if (LastWrite() is var written && written == _writtenAt) return _current;
            try
            {
                _current = Load();
                _writtenAt = written;
                LogRenewed(logger, _current.TargetCertificate.Subject, _current.TargetCertificate.NotAfter);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException)
            {
                // Perhaps one of its files is written and the other not yet.
                LogKept(logger, e.Message);
            }

            return _current;
        }
    }

    private SslStreamCertificateContext Load()
    {
        var bytes = File.ReadAllBytes(_options.Certificate);
        var all = new X509Certificate2Collection();
        X509Certificate2 own;
        if (bytes.AsSpan().IndexOf("-----BEGIN"u8) >= 0)
        {
            var text = Encoding.UTF8.GetString(bytes);
            var key = _options.Key.Length > 0 ? File.ReadAllText(_options.Key) : text;
            own = _options.Password.Length > 0
                ? X509Certificate2.CreateFromEncryptedPem(text, key, _options.Password)
                : X509Certificate2.CreateFromPem(text, key);
            all.ImportFromPem(text);
            all.RemoveAt(0);
        }
        else
        {
            all = X509CertificateLoader.LoadPkcs12Collection(bytes, _options.Password);
            own = all.FirstOrDefault(c => c.HasPrivateKey) ?? throw new CryptographicException("There is no private key in it.");
            all.Remove(own);
        }

        return SslStreamCertificateContext.Create(own, all, offline: true);
    }

    private DateTime LastWrite() => new[] { _options.Certificate, _options.Key }.Where(f => f.Length > 0).Max(File.GetLastWriteTimeUtc);

    [LoggerMessage(Level = LogLevel.Information, Message = "The certificate was renewed: {Subject}, good until {NotAfter:u}")]
    private static partial void LogRenewed(ILogger logger, string subject, DateTime notAfter);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The certificate changed and cannot be read; the old one stays: {Reason}")]
    private static partial void LogKept(ILogger logger, string reason);
}
