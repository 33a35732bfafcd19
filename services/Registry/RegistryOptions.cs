using System.ComponentModel.DataAnnotations;

namespace MlOps.Registry;

/// <summary>Section <c>Registry</c>: limits of the registry.</summary>
internal sealed record RegistryOptions
{
    /// <summary>Largest artifact taken, in bytes; default 2 GiB.</summary>
    [Range(1, long.MaxValue)]
    public long MaxArtifactBytes { get; init; } = 2L * 1024 * 1024 * 1024;
}

/// <summary>Section <c>Storage</c>: where the service keeps its files.</summary>
internal sealed record StorageOptions
{
    /// <summary>Folder of the artifacts; shared by all replicas, made when missing.</summary>
    [Required(AllowEmptyStrings = false)]
    public string Folder { get; init; } = "";
}
