namespace Aspire.StackExchange.Redis;

/// <summary>What <c>AddRedisClient</c> connects to and which extras it leaves out.</summary>
public sealed class StackExchangeRedisSettings
{
    public string? ConnectionString { get; set; }

    public bool DisableHealthChecks { get; set; }
}
