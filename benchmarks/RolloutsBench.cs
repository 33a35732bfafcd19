using MlOps.Numerics.Sequential;
using MlOps.Numerics.Tests.Sequential;

namespace MlOps.Benchmarks;

/// <summary>
/// Rollouts simulated request by request: how often the judge is wrong when nothing differs, how often it is right when
/// something does, and after how many requests. Seeded: the same figures everywhere. Printed as Markdown, for docs/rollouts.md.
/// </summary>
internal static class RolloutsBench
{
    private const int Runs = 2_000;

    private static readonly MetricRule[] NoMargins = [.. SimulatedRollout.Rules.Select(rule => rule with { Absolute = 0 })];

    public static Task RunAsync(CancellationToken ct)
    {
        FalseStops(ct);
        Power(ct);
        return Task.CompletedTask;
    }

    private static void FalseStops(CancellationToken ct)
    {
        Console.WriteLine($"\nTwo equal versions, {Runs:N0} rollouts of 40,000 requests each, a look every 200, margins of zero\n");
        Console.WriteLine("| Traffic | Stopped by the judge | … taking every request for independent | By a test of one look at 5 % |");
        Console.WriteLine("|---|---|---|---|");
        foreach (var (name, traffic) in new[]
        {
            ("independent requests, 1 % errors", new Traffic()),
            ("independent requests, 10 % errors", new Traffic(ErrorRate: 0.1)),
            ("400 subjects, some heavy, 5 % errors", new Traffic(ErrorRate: 0.05, Subjects: 400)),
            ("2,000 subjects, some heavy, 10 % errors", new Traffic(ErrorRate: 0.1, Subjects: 2_000)),
        })
        {
            var (byJudge, byRequests, byOneLook) = (0, 0, 0);
            Parallel.For(0, Runs, new ParallelOptions { CancellationToken = ct }, seed =>
            {
                var (isIndependent, isOneLook) = (false, false);
                var ending = new SimulatedRollout(traffic, requests: 40_000)
                {
                    Asked = NoMargins,
                    NeverPromotes = true,
                    Watch = strata =>
                    {
                        // The binomial variance alone, without the slices.
                        Stratum[] plain = [.. strata.Select(s => new Stratum(Binomial(s.Baseline), Binomial(s.Canary)))];
                        isIndependent |= new RolloutJudge().Judge([(NoMargins[0], plain), (NoMargins[1], plain)])[0].Verdict == Verdict.Broken;
                        var (estimate, error, n) = Contrast.Of(plain, 1, -1, 0);
                        isOneLook |= n > 100 && estimate > 1.645 * error;
                    },
                }.Run(seed);
                if (ending.Verdict == Verdict.Broken) Interlocked.Increment(ref byJudge);
                if (isIndependent) Interlocked.Increment(ref byRequests);
                if (isOneLook) Interlocked.Increment(ref byOneLook);
            });
            Console.WriteLine($"| {name} | {Share(byJudge)} | {Share(byRequests)} | {Share(byOneLook)} |");
        }
    }

    private static void Power(CancellationToken ct)
    {
        Console.WriteLine(
            $"\nGuardrails: errors at most 1 point and slow answers at most 2 points above the baseline's 1 %; {Runs:N0} rollouts of at most 100,000 requests\n");
        Console.WriteLine("| The canary truly has | Rolled back | Promoted | Open at the end | Its requests until then, mean | Share of all requests |");
        Console.WriteLine("|---|---|---|---|---|---|");
        foreach (var (name, traffic) in new[]
        {
            ("half the errors", new Traffic(MoreErrors: -0.005)),
            ("the same", new Traffic()),
            ("0.5 points more errors", new Traffic(MoreErrors: 0.005)),
            ("1 point more errors (the margin)", new Traffic(MoreErrors: 0.01)),
            ("2 points more errors", new Traffic(MoreErrors: 0.02)),
            ("3 points more errors", new Traffic(MoreErrors: 0.03)),
            ("5 points more errors", new Traffic(MoreErrors: 0.05)),
            ("20 points more errors", new Traffic(MoreErrors: 0.20)),
            ("nothing but errors", new Traffic(MoreErrors: 1)),
            ("5 points more slow answers", new Traffic(MoreSlow: 0.05)),
            ("20 points more slow answers", new Traffic(MoreSlow: 0.20)),
        })
        {
            var endings = new Ending[Runs];
            Parallel.For(0, Runs, new ParallelOptions { CancellationToken = ct }, seed =>
                endings[seed] = new SimulatedRollout(traffic, requests: 100_000) { BatchesPerStep = 50 }.Run(seed));
            int Of(Verdict verdict) => endings.Count(e => e.Verdict == verdict);
            Console.WriteLine(
                $"| {name} | {Share(Of(Verdict.Broken))} | {Share(Of(Verdict.Kept))} | {Share(Of(Verdict.Inconclusive))} "
                + $"| {endings.Average(e => e.CanaryRequests):N0} | {endings.Sum(e => (double)e.CanaryRequests) / endings.Sum(e => (double)e.Requests):P1} |");
        }
    }

    private static ArmMoments Binomial(ArmMoments arm)
    {
        if (arm.Count == 0) return arm;
        var smooth = (arm.Events + 2) / (arm.Count + 4);
        return arm with { MeanVariance = smooth * (1 - smooth) / arm.Count };
    }

    private static string Share(int count) => $"{100.0 * count / Runs:0.0} %";
}
