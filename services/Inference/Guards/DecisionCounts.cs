namespace MlOps.Inference.Guards;

/// <summary>Counts what was decided on a version's requests, once per request, check and input.</summary>
internal sealed class DecisionCounts
{
    private static readonly int Decisions = Enum.GetValues<GuardDecision>().Length;
    private readonly long[] _counts = new long[Enum.GetValues<GuardCheck>().Length * Decisions];

    public void Add(GuardCheck check, GuardDecision decision) => Interlocked.Increment(ref _counts[((int)check * Decisions) + (int)decision]);

    /// <summary>Those that are not 0.</summary>
    public IEnumerable<DecisionCount> Read()
    {
        for (var i = 0; i < _counts.Length; i++)
        {
            var count = Volatile.Read(ref _counts[i]);
            if (count > 0) yield return new DecisionCount(WordFor((GuardCheck)(i / Decisions)), WordFor((GuardDecision)(i % Decisions)), count);
        }
    }

    private static string WordFor(GuardCheck check) => check switch
    {
        GuardCheck.Range => "range",
        GuardCheck.Category => "category",
        GuardCheck.Missing => "missing",
        GuardCheck.FeatureMissing => "feature_missing",
        _ => "feature_stale",
    };

    private static string WordFor(GuardDecision decision) => decision switch
    {
        GuardDecision.Pass => "pass",
        GuardDecision.Flag => "flag",
        GuardDecision.Reject => "reject",
        GuardDecision.Fallback => "fallback",
        GuardDecision.Leave => "leave",
        GuardDecision.Fail => "fail",
        GuardDecision.Default => "default",
        _ => "impute",
    };
}

/// <summary>How often a check led to a decision.</summary>
internal sealed record DecisionCount(string Check, string Decision, long Count);
