namespace MlOps.Inference.BatchJobs.Schedules;

/// <summary>What is to be done at a moment about a schedule that is due.</summary>
/// <param name="Fire">The time to make a job for; null: none.</param>
/// <param name="Next">The next time after that; null: there is none any more.</param>
/// <param name="Missed">Times that pass without a job; counted up to 10,000.</param>
internal readonly record struct DueTimes(DateTimeOffset? Fire, DateTimeOffset? Next, long Missed)
{
    /// <summary>A time that is later than this was missed.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromMinutes(1);

    private const int MaxCaughtUp = 100;
    private const int MaxCounted = 10_000;

    /// <param name="times">The schedule's times.</param>
    /// <param name="due">Its first time without a job, not after now.</param>
    /// <param name="now">The moment.</param>
    /// <param name="policy">run_once, skip or catch_up.</param>
    public static DueTimes Decide(CronTimes times, DateTimeOffset due, DateTimeOffset now, string policy)
    {
        var latest = times.UpTo(now) is { } last && last > due ? last : due;
        if (policy == "catch_up")
        {
            var oldest = Oldest(times, due, latest);
            return new(oldest, times.After(oldest), Count(times, due, oldest));
        }

        var isLate = now - latest > Grace;
        return policy == "skip" && isLate
            ? new(null, times.After(latest), Count(times, due, latest) + 1)
            : new(latest, times.After(latest), Count(times, due, latest));
    }

    // The first of the latest hundred that are due.
    private static DateTimeOffset Oldest(CronTimes times, DateTimeOffset due, DateTimeOffset latest)
    {
        var oldest = latest;
        for (var i = 1; i < MaxCaughtUp && oldest > due; i++)
        {
            if (times.UpTo(oldest.AddSeconds(-1)) is not { } before || before < due) break;
            oldest = before;
        }

        return oldest;
    }

    // Times from the first on, the last one left out.
    private static long Count(CronTimes times, DateTimeOffset from, DateTimeOffset to)
    {
        var count = 0L;
        for (DateTimeOffset? at = from; at < to && count < MaxCounted; at = times.After(at.Value)) count++;
        return count;
    }
}
