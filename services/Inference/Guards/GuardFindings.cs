using MlOps.Inference.Predictions;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Guards;

/// <summary>What the guard found in one request. Nothing is made for a request that has nothing to be found.</summary>
internal ref struct GuardFindings(List<string> flags, DecisionCounts counts, bool mayFallBack)
{
    private Violations? _violations;
    private int _found;

    /// <summary>Whether another version is to answer.</summary>
    public bool WantsFallback { get; private set; }

    /// <param name="check">What is broken.</param>
    /// <param name="action">What becomes of it.</param>
    /// <param name="flag">Its word.</param>
    /// <param name="input">The input.</param>
    /// <param name="rule">What the value is, and by what rule it is broken; without the value.</param>
    /// <param name="row">The first row that has such a value.</param>
    public void Add(GuardCheck check, GuardAction action, string flag, string input, string rule, int row)
    {
        _found |= 1 << (int)check;
        if (!flags.Contains(flag)) flags.Add(flag);
        // What stands in for a version is the last resort.
        if (action == GuardAction.Fallback && !mayFallBack) action = GuardAction.Flag;
        counts.Add(check, action switch
        {
            GuardAction.Reject => GuardDecision.Reject,
            GuardAction.Fallback => GuardDecision.Fallback,
            _ => GuardDecision.Flag,
        });
        WantsFallback |= action == GuardAction.Fallback;
        if (action == GuardAction.Reject) (_violations ??= new Violations()).Add(Workspace.Shown(input), $"{rule} (row {row})");
    }

    /// <summary>Counts the checks that found nothing.</summary>
    /// <exception cref="InvalidRequestException">INPUT_UNLIKE_TRAINING: every input that is to be refused, and why.</exception>
    public readonly void Settle(int made)
    {
        for (var check = GuardCheck.Range; check <= GuardCheck.Missing; check++)
        {
            if ((made >> (int)check & 1) == 1 && (_found >> (int)check & 1) == 0) counts.Add(check, GuardDecision.Pass);
        }

        _violations?.ThrowIfAny("INPUT_UNLIKE_TRAINING");
    }
}
