namespace Aspire.Npgsql;

/// <summary>What <c>AddNpgsqlDataSource</c> connects to and which extras it leaves out.</summary>
public sealed class NpgsqlSettings
{
    public string? ConnectionString { get; set; }

    public bool DisableHealthChecks { get; set; }

    public bool DisableTracing { get; set; }

    public bool DisableMetrics { get; set; }
}
