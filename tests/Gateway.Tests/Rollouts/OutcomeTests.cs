using Microsoft.AspNetCore.Http;
using MlOps.Gateway.Rollouts;
using MlOps.Gateway.Rollouts.Observations;
using MlOps.Gateway.Splits;
using MlOps.Numerics.Sequential;

namespace MlOps.Gateway.Tests.Rollouts;

public sealed class OutcomeTests
{
    private static readonly TrafficPolicy Policy = new("m", RolloutArms.At(0.5, 1, 2), "m:2", 1, TrafficPolicy.DefaultSubjectHeader, 7, default)
    {
        Rollout = Guid.NewGuid(),
    };

    [Fact]
    public void Counting_allocates_nothing()
    {
        var observed = new ObservedPolicy(Policy);
        var http = new DefaultHttpContext { Response = { StatusCode = 200 } };
        Count(10);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Count(1_000);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(1_010, observed.Arms[1].Read().Requests);

        void Count(int requests)
        {
            for (var i = 0; i < requests; i++) observed.Observe("a subject", 1).End(http, TimeSpan.FromMilliseconds(3));
        }
    }

    [Theory]
    [InlineData(200, null, 1, 0)]
    [InlineData(404, null, 1, 1)]
    [InlineData(503, null, 1, 1)]
    [InlineData(429, null, 0, 0)]
    [InlineData(200, "0", 1, 0)]
    [InlineData(200, "13", 1, 1)]
    [InlineData(200, "3", 1, 1)]
    [InlineData(200, "8", 0, 0)]
    [InlineData(200, "", 1, 1)]
    public void A_failure_is_what_is_no_success_and_what_was_shed_is_not_counted(int status, string? grpcStatus, int requests, int failures)
    {
        var observed = new ObservedPolicy(Policy);
        var http = new DefaultHttpContext { Response = { StatusCode = status } };
        if (grpcStatus is not null) http.Response.ContentType = "application/grpc";
        if (grpcStatus is { Length: > 0 }) http.Response.Headers["grpc-status"] = grpcStatus;
        observed.Observe("s", 0).End(http, TimeSpan.FromMilliseconds(1));

        var counts = ArmCounts.Unpack(observed.Arms[0].Read().Packed);
        Assert.Equal((requests, failures), (counts.Total, counts.Failures.Sum()));
    }

    [Fact]
    public void Who_did_not_wait_for_the_answer_was_failed_by_it()
    {
        using var gone = new CancellationTokenSource();
        gone.Cancel();
        var observed = new ObservedPolicy(Policy);
        observed.Observe("s", 0).End(new DefaultHttpContext { RequestAborted = gone.Token }, TimeSpan.FromSeconds(5));
        Assert.Equal(1, ArmCounts.Unpack(observed.Arms[0].Read().Packed).FailureShare().Mean);
    }

    [Fact]
    public void Packed_counts_are_the_counts_and_small()
    {
        var random = new Random(3);
        for (var round = 0; round < 50; round++)
        {
            var counts = new ArmCounts();
            for (var i = 0; i < random.Next(4_000); i++)
            {
                counts.Requests[random.Next(counts.Requests.Length)] += 1L << random.Next(40);
                counts.Failures[random.Next(ArmCounts.Slices)]++;
            }

            var again = ArmCounts.Unpack(counts.Pack());
            Assert.Equal(counts.Requests, again.Requests);
            Assert.Equal(counts.Failures, again.Failures);
        }

        Assert.Equal(2 * ArmCounts.Slices, new ArmCounts().Pack().Length);
        Assert.Throws<InvalidDataException>(() => ArmCounts.Unpack([0, 1, 200]));
        Assert.Throws<InvalidDataException>(() => ArmCounts.Unpack([0, 1, 200, 1, 5]));
    }

    [Fact]
    public void Shares_come_from_the_slices_of_the_subjects()
    {
        var counts = new ArmCounts();
        counts.Requests[(3 * LatencyBuckets.Count) + LatencyBuckets.Of(1_000)] = 90;
        counts.Requests[(5 * LatencyBuckets.Count) + LatencyBuckets.Of(900_000)] = 10;
        counts.Failures[5] = 10;

        Assert.Equal((100.0, 0.1, 10.0), (counts.FailureShare().Count, counts.FailureShare().Mean, counts.FailureShare().Events));
        Assert.Equal(0.1, counts.ShareFrom(LatencyBuckets.AtOrAbove(500_000)).Mean);
        // All failures of one subject out of two: hardly any evidence.
        Assert.True(counts.FailureShare().MeanVariance > 5 * 0.1 * 0.9 / 100);
    }

    [Fact]
    public void A_subject_counts_once_and_those_beyond_the_bound_not_at_all()
    {
        var seen = new SeenSubjects();
        for (var i = 0; i < 3; i++)
        {
            for (var s = 0; s < 1_000; s++) seen.Add(SubjectKey.Of($"subject-{s}"), s % 2);
        }

        var (subjects, arms) = seen.Take();
        Assert.Equal(1_000, subjects.Distinct().Count());
        Assert.Equal(500, arms.Count(a => a == 1));
        Assert.Empty(seen.Take().Subjects);
        seen.GiveBack(10);
        Assert.Equal(subjects[^10..], seen.Take().Subjects);

        for (var s = 0; s < 20_000; s++) seen.Add(SubjectKey.Of($"more-{s}"), 0);
        Assert.Equal(SeenSubjects.Most - 1_000, seen.Take().Subjects.Length);
    }

    [Fact]
    public void Subjects_added_from_many_threads_are_all_there_once()
    {
        var seen = new SeenSubjects();
        Parallel.For(0, 40_000, i => seen.Add(SubjectKey.Of($"s{i % 4_000}"), i % 2));
        Assert.Equal(4_000, seen.Take().Subjects.Distinct().Count());
    }

    [Fact]
    public void Requests_without_a_name_are_spread_over_the_slices()
    {
        var slices = Enumerable.Range(0, 10_000).GroupBy(_ => (SubjectKey.Of("") >> 8) % ArmCounts.Slices).ToArray();
        Assert.Equal(ArmCounts.Slices, slices.Length);
        Assert.All(slices, s => Assert.InRange(s.Count(), 90, 230));
    }

    [Fact]
    public void Each_step_only_ever_adds_subjects_to_the_canary()
    {
        string[] subjects = [.. Enumerable.Range(0, 10_000).Select(i => $"subject-{i}")];
        HashSet<string> before = [];
        foreach (var weight in new[] { 0, 0.01, 0.05, 0.1, 0.25, 0.5, 1 })
        {
            var split = new Split(Policy with { Arms = RolloutArms.At(weight, 1, 2) }, new AssignmentCounts());
            HashSet<string> canary = [.. subjects.Where(s => split.Choose(s).Arm.Variant == RolloutArms.Canary)];
            Assert.Subset(canary, before);
            Assert.InRange(canary.Count, 10_000 * weight - 150, 10_000 * weight + 150);
            before = canary;
        }

        Assert.Equal(10_000, before.Count);
    }
}
