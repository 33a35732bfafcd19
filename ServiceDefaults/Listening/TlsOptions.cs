namespace MlOps.ServiceDefaults.Listening;

/// <summary>The certificate the service shows; section <c>Tls</c>. Without one it speaks plain HTTP.</summary>
internal sealed record TlsOptions
{
    /// <summary>A file: PEM, the certificate first and then those it was issued by, or PFX.</summary>
    public string Certificate { get; init; } = "";

    /// <summary>The PEM file with the private key; empty: it is in the certificate's file.</summary>
    public string Key { get; init; } = "";

    /// <summary>Of the PFX file or the encrypted key.</summary>
    public string Password { get; init; } = "";

    public bool IsConfigured => Certificate.Length > 0;
}
