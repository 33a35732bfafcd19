using System.ComponentModel.DataAnnotations;

namespace MlOps.Inference.BatchJobs;

/// <summary>Settings of batch scoring, section <c>Inference:Batch</c>; every one has a working default.</summary>
internal sealed record BatchOptions
{
    /// <summary>
    /// Where inputs, parts and results lie: <c>folder</c> (one replica, or replicas that share <see cref="Folder"/>) or
    /// <c>database</c> (replicas that share no folder; slower). Default folder.
    /// </summary>
    [RegularExpression("folder|database")]
    public string Files { get; init; } = "folder";

    /// <summary>The folder of <c>folder</c>. Default <c>batch</c> below the storage folder.</summary>
    [Required(AllowEmptyStrings = true)]
    public string Folder { get; init; } = "";

    /// <summary>Jobs may read files below this folder. Default none: they may not.</summary>
    [Required(AllowEmptyStrings = true)]
    public string InputFolder { get; init; } = "";

    /// <summary>Connections by name that jobs may query and, where they are writable, write tables to. Default none.</summary>
    public IReadOnlyDictionary<string, BatchConnection> Connections { get; init; } = new Dictionary<string, BatchConnection>();

    /// <summary>Largest input, bytes. Default 16 GiB.</summary>
    [Range(1L << 10, 1L << 40)]
    public long MaxInputBytes { get; init; } = 16L << 30;

    /// <summary>Bytes of input after which a partition ends with its row; a worker holds a partition in memory. Default 8 MiB.</summary>
    [Range(1 << 10, 256 << 20)]
    public int PartitionBytes { get; init; } = 8 << 20;

    /// <summary>Rows of one run of the model. Default 4,096.</summary>
    [Range(1, 100_000)]
    public int ChunkRows { get; init; } = 4_096;

    /// <summary>Partitions this replica scores at once; 0: it takes none. Default 2.</summary>
    [Range(0, 64)]
    public int ConcurrentPartitions { get; init; } = 2;

    /// <summary>How long an ended job with its result, and an input nobody asks for, is kept. Default 30 days.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "3650.00:00:00")]
    public TimeSpan Retention { get; init; } = TimeSpan.FromDays(30);
}

/// <summary>A PostgreSQL database that batch jobs may use.</summary>
internal sealed record BatchConnection
{
    /// <summary>Npgsql's; of a user who may do no more than jobs should.</summary>
    public string ConnectionString { get; init; } = "";

    /// <summary>Whether jobs may write tables to it. Default false.</summary>
    public bool Writable { get; init; }

    /// <summary>Longest a query may run. Default 1 hour.</summary>
    public TimeSpan QueryTimeout { get; init; } = TimeSpan.FromHours(1);
}
