using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Aspire.Hosting.Local;

/// <summary>What running resources share; their logs go to <c>logs</c> in the state folder.</summary>
internal sealed record RunSettings(
    string Folder,
    Spawner Spawner,
    Screen Screen,
    IServiceProvider Services,
    HealthCheckService Health,
    TimeProvider Clock,
    Dashboard? Dashboard)
{
    /// <summary>The first pause before a restart; it doubles with every death in a row.</summary>
    public TimeSpan FirstPause { get; init; } = TimeSpan.FromSeconds(1);

    public TimeSpan LongestPause { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>A resource that lived this long is taken for stable: its next death counts as the first.</summary>
    public TimeSpan StableAfter { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Deaths in a row after which a resource that was never healthy is given up.</summary>
    public int MaxStarts { get; init; } = 5;

    /// <summary>How long a resource may take to end by itself.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(20);

    public TimeSpan PauseAfter(int deaths) =>
        TimeSpan.FromTicks(Math.Min(LongestPause.Ticks, FirstPause.Ticks << Math.Clamp(deaths - 1, 0, 20)));
}
