using System.Globalization;
using MlOps.Inference.BatchJobs.Schedules;

namespace MlOps.Inference.Tests.BatchJobs;

public sealed class ScheduleTimeTests
{
    [Theory]
    // Clocks go from 02:00 to 03:00 on 30 March 2025: half past two does not exist and comes at three.
    [InlineData("30 2 * * *", "Europe/Berlin", "2025-03-29T12:00Z", "2025-03-30T01:00Z 2025-03-31T00:30Z")]
    // On 26 October half past two comes twice and counts once.
    [InlineData("30 2 * * *", "Europe/Berlin", "2025-10-25T12:00Z", "2025-10-26T00:30Z 2025-10-27T01:30Z")]
    [InlineData("0 6 * * 1-5", "", "2025-01-03T07:00Z", "2025-01-06T06:00Z 2025-01-07T06:00Z")]
    [InlineData("0 0 * * 0", "UTC", "2025-01-01T00:00Z", "2025-01-05T00:00Z 2025-01-12T00:00Z")]
    [InlineData("0 0 12 L * ?", "UTC", "2025-01-01T00:00Z", "2025-01-31T12:00Z 2025-02-28T12:00Z")]
    public void Times_follow_the_expression_in_its_zone(string cron, string zone, string from, string expected)
    {
        Assert.Null(CronTimes.TryParse(cron, zone, out var times));
        var at = Time(from);
        foreach (var next in expected.Split(' '))
        {
            at = times!.After(at)!.Value;
            Assert.Equal(Time(next), at);
        }
    }

    [Theory]
    [InlineData("x", "UTC", "cron:")]
    [InlineData("61 * * * *", "UTC", "cron:")]
    [InlineData("99 * * * *", "UTC", "cron:")]
    [InlineData("0 1,98 * * *", "UTC", "cron:")]
    [InlineData("* * * *", "UTC", "cron:")]
    [InlineData("0 0 * * *", "Mars/Olympus", "time_zone:")]
    public void What_is_no_schedule_is_refused(string cron, string zone, string word) =>
        Assert.StartsWith(word, CronTimes.TryParse(cron, zone, out _), StringComparison.Ordinal);

    [Theory]
    // Hourly, due since 10:00; now as given.
    [InlineData("run_once", "10:00:05", "10:00", "11:00", 0)]
    [InlineData("run_once", "13:30:00", "13:00", "14:00", 3)]
    [InlineData("skip", "10:00:05", "10:00", "11:00", 0)]
    [InlineData("skip", "13:00:30", "13:00", "14:00", 3)]
    [InlineData("skip", "13:30:00", "", "14:00", 4)]
    [InlineData("catch_up", "13:30:00", "10:00", "11:00", 0)]
    public void A_missed_time_is_made_up_for_as_the_policy_says(string policy, string now, string fire, string next, long missed)
    {
        CronTimes.TryParse("0 * * * *", "UTC", out var times);
        var decided = DueTimes.Decide(times!, Time("2025-01-01T10:00Z"), Time($"2025-01-01T{now}Z"), policy);
        Assert.Equal(fire.Length == 0 ? null : Time($"2025-01-01T{fire}Z"), decided.Fire);
        Assert.Equal(Time($"2025-01-01T{next}Z"), decided.Next);
        Assert.Equal(missed, decided.Missed);
    }

    [Fact]
    public void A_year_of_missed_seconds_is_caught_up_with_for_the_latest_hundred()
    {
        CronTimes.TryParse("* * * * * ?", "UTC", out var times);
        var decided = DueTimes.Decide(times!, Time("2024-01-01T00:00Z"), Time("2025-01-01T00:00Z"), "catch_up");
        Assert.Equal(Time("2024-12-31T23:58:21Z"), decided.Fire);
        Assert.Equal(10_000, decided.Missed);
    }

    private static DateTimeOffset Time(string text) => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture);
}
