using MlOps.Gateway.Rollouts;
using MlOps.ServiceDefaults;

namespace MlOps.Gateway.Tests.Rollouts;

public sealed class RolloutPlanRulesTests
{
    [Fact]
    public void The_default_plan_keeps_the_rules() => Assert.Empty(Check(new RolloutPlan().WithDefaults()));

    [Fact]
    public void Every_broken_rule_is_named_with_its_field()
    {
        var plan = new RolloutPlan
        {
            Steps =
            [
                new RolloutStep { SetWeight = 5 }, new RolloutStep(), new RolloutStep { SetWeight = 0.1, Analysis = new AnalysisStep() },
                new RolloutStep { Pause = new PauseStep(-1) }, new RolloutStep { Shadow = new ShadowStep(0, Rate: 0, MaxFailureShare: 2, MaxDifference: -1) },
            ],
            Rules =
            [
                new RolloutRule { Metric = "accuracy" }, new RolloutRule { Metric = "errors", Aim = "wish", Absolute = -1 },
                new RolloutRule { Metric = "errors", ThresholdMs = 5 }, new RolloutRule { Metric = "prediction", Aim = "goal" },
                new RolloutRule { Metric = "errors", Aim = "limit", Relative = 0.1 },
            ],
            Hooks = [new RolloutHook { Type = "maybe", Name = "x", Url = "ftp://somewhere" }, new RolloutHook { Type = "event", Url = "http://x/" }],
        };
        Assert.Equal(
            [
                "steps[0].set_weight", "steps[1]", "steps[2]", "steps[3].pause.seconds", "steps[4].shadow.samples", "steps[4].shadow.rate",
                "steps[4].shadow.max_failure_share", "steps[4].shadow.max_difference", "rules[0].metric", "rules[1].aim",
                "rules[1].absolute", "rules[2].threshold_ms", "rules[3].direction", "rules[4].relative", "hooks[0].type", "hooks[0].url",
                "hooks[1].name",
            ],
            Check(plan));
        Assert.Equal(
            ["on_inconclusive", "minimum_step_seconds", "progress_deadline_seconds", "alpha"],
            Check(new RolloutPlan { OnInconclusive = "hope", MinimumStepSeconds = -1, ProgressDeadlineSeconds = -2, Alpha = 1 }));
        Assert.Empty(Check(new RolloutPlan { Steps = [new RolloutStep { Shadow = new ShadowStep(100) }] }.WithDefaults()));
    }

    private static string[] Check(RolloutPlan plan)
    {
        var violations = new Violations();
        violations.CheckPlan(plan);
        try
        {
            violations.ThrowIfAny("ROLLOUT_INVALID");
            return [];
        }
        catch (InvalidRequestException e)
        {
            return [.. e.Violations.Select(v => v.Field)];
        }
    }
}
