using MlOps.Inference.Guards;
using MlOps.Inference.Models;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Predictions;

/// <summary>Fills an input with a looked-up feature, each value judged by the policy of its version.</summary>
internal sealed class FeatureFill(Workspace workspace, LookedUp lookedUp, bool mayFallBack)
{
    private readonly LoadedModel _model = workspace.Model;

    /// <summary>Inputs that another version is to do without.</summary>
    public bool WantsFallback { get; private set; }

    /// <param name="input">Place of the input.</param>
    /// <param name="feature">Place of the feature in the store's answer; −1: the store is away.</param>
    /// <param name="rows">Rows of the request.</param>
    /// <param name="violations">Take why it cannot be filled, by its first row.</param>
    public void Fill(int input, int feature, int rows, Violations violations)
    {
        var (slot, rule) = (workspace.Inputs[input], _model.FeatureRules[input]);
        var counted = 0;
        for (var row = 0; row < rows; row++)
        {
            var condition = rule.ConditionOf(
                lookedUp.StatusOf(feature, row), lookedUp.EventTimeOf(feature, row), lookedUp.NowMicros, lookedUp.MaxAgeMicros);
            string? broken;
            if (condition == FeatureCondition.Present)
            {
                // Present says that the store has answered.
                broken = Columns.TryAppend(slot, lookedUp.Answer!.Features.Columns[feature], row);
            }
            else
            {
                var action = rule.ActionOf(condition);
                if (action == FeatureAction.Fallback && !mayFallBack) action = FeatureAction.Fail;
                if ((counted & 1 << (int)condition) == 0) Note(rule, condition, action);
                counted |= 1 << (int)condition;
                if (action == FeatureAction.Fallback)
                {
                    WantsFallback = true;
                    return;
                }

                broken = TryFill(slot, rule, action) ? null : RuleOf(action, lookedUp.WordFor(condition, feature, row));
            }

            if (broken is null) continue;
            violations.Add(slot.Layout.Name, $"{broken} (row {row})");
            return;
        }
    }

    private static bool TryFill(InputSlot slot, FeatureRule rule, FeatureAction action) => action switch
    {
        FeatureAction.Leave => slot.TryAppendMissing(),
        FeatureAction.Default or FeatureAction.Impute when rule.ValueOf(action) is { } value => Columns.TryAppend(slot, value, 0) is null,
        _ => false,
    };

    private static string RuleOf(FeatureAction action, string word) => action switch
    {
        FeatureAction.Impute => $"cannot be imputed without a reference profile of it; the online store says {word}",
        FeatureAction.Fail => $"must not be missing or stale, by the model's settings; the online store says {word}",
        _ => $"must not be missing; the online store says {word}",
    };

    // That training knew missing values the guard decides, so a missing one that is left says nothing here.
    private void Note(FeatureRule rule, FeatureCondition condition, FeatureAction action)
    {
        if (condition == FeatureCondition.Stale) Flag(rule.StaleFlag);
        else if (action != FeatureAction.Leave) Flag(rule.MissingFlag);
        if (action == FeatureAction.Default) Flag(rule.DefaultFlag);
        if (action == FeatureAction.Impute) Flag(rule.ImputedFlag);
        _model.Decisions.Add(
            condition == FeatureCondition.Stale ? GuardCheck.FeatureStale : GuardCheck.FeatureMissing,
            action switch
            {
                FeatureAction.Leave => GuardDecision.Leave,
                FeatureAction.Default => GuardDecision.Default,
                FeatureAction.Impute => GuardDecision.Impute,
                FeatureAction.Fallback => GuardDecision.Fallback,
                _ => GuardDecision.Fail,
            });
    }

    private void Flag(string flag)
    {
        if (!workspace.Flags.Contains(flag)) workspace.Flags.Add(flag);
    }
}
