using System.Text.RegularExpressions;
using Quartz;

namespace MlOps.Inference.BatchJobs.Schedules;

/// <summary>
/// Times of a cron expression in a time zone. Where clocks are put forward a time in the gap comes at its end; where they
/// are put back a time that comes twice counts once.
/// </summary>
internal sealed partial class CronTimes
{
    private readonly CronExpression _cron;

    private CronTimes(CronExpression cron) => _cron = cron;

    /// <summary>Null when done, else what is wrong.</summary>
    public static string? TryParse(string cron, string timeZone, out CronTimes? times)
    {
        times = null;
        if (!TimeZoneInfo.TryFindSystemTimeZoneById(timeZone.Length == 0 ? "UTC" : timeZone, out var zone))
        {
            return "time_zone: is not the name of a time zone here, like Europe/Berlin";
        }

        // Quartz keeps these two numbers for "every" and "any" and takes them for that where they are given, too.
        if (Reserved().IsMatch(cron)) return "cron: no field goes up to 98";

        // Five fields are everybody's form, more are Quartz's with the seconds first.
        var isUnix = cron.Split(' ', StringSplitOptions.RemoveEmptyEntries).Length == 5;
        try
        {
            times = new CronTimes(CronExpression.Parse(cron, isUnix ? CronFormat.Unix : CronFormat.Quartz).WithTimeZone(zone));
            return null;
        }
        catch (Exception e) when (e is FormatException or ArgumentException)
        {
            return $"cron: {e.Message}";
        }
    }

    /// <summary>The first time after; null: there is none any more.</summary>
    public DateTimeOffset? After(DateTimeOffset time) => _cron.GetNextValidTimeAfter(time);

    /// <summary>The last time up to and including; null: there was none.</summary>
    public DateTimeOffset? UpTo(DateTimeOffset time) =>
        _cron.GetPreviousValidTimeBefore(new DateTimeOffset(time.UtcTicks - (time.UtcTicks % TimeSpan.TicksPerSecond), TimeSpan.Zero).AddSeconds(1));

    [GeneratedRegex("(?<![0-9])9[89](?![0-9])")]
    private static partial Regex Reserved();
}
