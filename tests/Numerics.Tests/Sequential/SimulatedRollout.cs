using MlOps.Numerics.Sequential;

namespace MlOps.Numerics.Tests.Sequential;

/// <summary>What a simulated platform's traffic is like; rates are shares of requests.</summary>
/// <param name="ErrorRate">Of the baseline, on average over the day.</param>
/// <param name="MoreErrors">The canary's rate less the baseline's.</param>
/// <param name="SlowRate">Slower than the threshold, of the baseline.</param>
/// <param name="MoreSlow">The canary's less the baseline's.</param>
/// <param name="Subjects">0: every request is by somebody else.</param>
/// <param name="Tide">How much the error rate swings over a rollout, as a share of itself.</param>
internal sealed record Traffic(
    double ErrorRate = 0.01, double MoreErrors = 0, double SlowRate = 0.01, double MoreSlow = 0, int Subjects = 0, double Tide = 0.5);

/// <summary>How a simulated rollout ended, and after how many requests to the canary.</summary>
internal sealed record Ending(Verdict Verdict, int CanaryRequests, int Requests);

/// <summary>
/// A rollout request by request: sticky subjects, some of which send a hundred times as many requests as others and fail
/// more often; a ramp of 1, 5, 10, 25 and 50 %; a look by the judge after every batch.
/// </summary>
internal sealed class SimulatedRollout(Traffic traffic, int requests = 20_000, int batch = 200)
{
    private const int Slices = 64;
    private static readonly double[] Ramp = [0.01, 0.05, 0.10, 0.25, 0.50];

    public static IReadOnlyList<MetricRule> Rules { get; } =
    [
        new("errors", MetricAim.Guardrail, MetricDirection.LowerIsBetter, Absolute: 0.01),
        new("slow", MetricAim.Guardrail, MetricDirection.LowerIsBetter, Absolute: 0.02),
    ];

    /// <summary>The rules judged; margins of zero make every false step as likely as it can be.</summary>
    public IReadOnlyList<MetricRule> Asked { get; init; } = Rules;

    /// <summary>Whether a step lasts to its end although all rules are kept: as many looks as there can be.</summary>
    public bool NeverPromotes { get; init; }

    /// <summary>Every this many batches the rollout goes a step further.</summary>
    public int BatchesPerStep { get; init; } = 20;

    /// <summary>What else looks after every batch, told the strata of errors.</summary>
    public Action<Stratum[]>? Watch { get; init; }

    public Ending Run(int seed)
    {
        var dice = new Dice((ulong)seed);
        var judge = new RolloutJudge();
        var people = new People(traffic.Subjects, dice);
        var closed = Asked.Select(_ => new List<Stratum>()).ToArray();
        var (step, canaryRequests) = (0, 0);
        var (stable, canary) = (new Counts(), new Counts());
        for (var done = 0; done < requests;)
        {
            var errors = traffic.ErrorRate * (1 + traffic.Tide * Math.Sin(2 * Math.PI * done / requests));
            for (var end = Math.Min(done + batch, requests); done < end; done++)
            {
                var (place, slice, failing) = people.Next(dice);
                var isCanary = place >= 1 - Ramp[step];
                var isError = dice.Next() < errors * failing + (isCanary ? traffic.MoreErrors : 0);
                var isSlow = dice.Next() < traffic.SlowRate + (isCanary ? traffic.MoreSlow : 0);
                (isCanary ? canary : stable).Add(slice, isError, isSlow);
                if (isCanary) canaryRequests++;
            }

            Stratum[][] strata = [.. Asked.Select((rule, i) => (Stratum[])[.. closed[i], Between(rule, stable, canary)])];
            Watch?.Invoke(strata[0]);
            var verdicts = judge.Judge([.. Asked.Zip(strata)]);
            if (verdicts.Any(v => v.Verdict == Verdict.Broken)) return new(Verdict.Broken, canaryRequests, done);
            if (!NeverPromotes && verdicts.All(v => v.Verdict == Verdict.Kept)) return new(Verdict.Kept, canaryRequests, done);
            if (done / batch % BatchesPerStep != 0 || step == Ramp.Length - 1) continue;
            step++;
            for (var i = 0; i < closed.Length; i++) closed[i].Add(Between(Asked[i], stable, canary));
            (stable, canary) = (new Counts(), new Counts());
        }

        return new(Verdict.Inconclusive, canaryRequests, requests);
    }

    private static Stratum Between(MetricRule rule, Counts stable, Counts canary) =>
        new(stable.Of(rule.Name), canary.Of(rule.Name));

    private sealed class Counts
    {
        private readonly long[] _requests = new long[Slices];
        private readonly long[] _errors = new long[Slices];
        private readonly long[] _slow = new long[Slices];

        public void Add(int slice, bool isError, bool isSlow)
        {
            _requests[slice]++;
            if (isError) _errors[slice]++;
            if (isSlow) _slow[slice]++;
        }

        public ArmMoments Of(string metric) => ArmMoments.OfShare(_requests, metric == "errors" ? _errors : _slow);
    }

    /// <summary>Subjects by Zipf's law; one in ten fails five times as often as the others.</summary>
    private sealed class People
    {
        private const int Tickets = 4_096;
        private readonly (double Place, int Slice, double Failing)[] _tickets;

        public People(int count, Dice dice)
        {
            // Subject i holds tickets in proportion to 1/(i + 5).
            var all = Enumerable.Range(0, count)
                .Select(_ => (dice.Next(), (int)(dice.Next() * Slices), dice.Next() < 0.1 ? 5 / 1.4 : 1 / 1.4)).ToArray();
            var total = Enumerable.Range(0, count).Sum(i => 1.0 / (i + 5));
            _tickets = [.. all.SelectMany((s, i) => Enumerable.Repeat(s, (int)Math.Ceiling(Tickets / total / (i + 5))))];
        }

        public (double Place, int Slice, double Failing) Next(Dice dice) => _tickets.Length == 0
            ? (dice.Next(), (int)(dice.Next() * Slices), 1)
            : _tickets[(int)(dice.Next() * _tickets.Length)];
    }

    /// <summary>SplitMix64 (Steele, Lea and Flood 2014): a simulation takes a hundred million draws.</summary>
    private sealed class Dice(ulong seed)
    {
        private ulong _state = seed;

        public double Next()
        {
            var z = _state += 0x9E3779B97F4A7C15;
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            return ((z ^ (z >> 31)) >> 11) * (1.0 / (1UL << 53));
        }
    }
}
