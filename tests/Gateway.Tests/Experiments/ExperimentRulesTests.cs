using MlOps.Gateway.Experiments;
using MlOps.Gateway.Splits;
using MlOps.ServiceDefaults;

namespace MlOps.Gateway.Tests.Experiments;

public sealed class ExperimentRulesTests
{
    private static readonly ExperimentPlan Good = SimulatedExperiment.PlanOf() with
    {
        Arms = [new("control", "1", 0.5), new("treatment", "2", 0.5)],
    };

    [Fact]
    public void A_good_one_breaks_no_rule_with_arms_or_without()
    {
        Assert.Empty(Broken(Good));
        Assert.Empty(Broken(Good with { Arms = [] }));
    }

    public static TheoryData<string, object> Wrong() => new()
    {
        { "hypothesis", Good with { Hypothesis = "" } },
        { "arms", Good with { Arms = [new("only", "1", 1)] } },
        { "arms", Good with { Arms = [], Salt = "mine" } },
        { "arms[1].name", Good with { Arms = [new("control", "1", 0.5), new("outside", "2", 0.5)] } },
        { "arms[1].weight", Good with { Arms = [new("control", "1", 1), new("treatment", "2", 0)] } },
        { "arms[0].version", Good with { Arms = [new("control", "champion", 0.5), new("treatment", "2", 0.5)] } },
        { "layer.end", Good with { Layer = new PolicyLayer("l", 0.5, 0.5) } },
        { "primary.kind", Good with { Primary = Good.Primary with { Kind = "clicks" } } },
        { "primary.outcome", Good with { Primary = Good.Primary with { Outcome = "" } } },
        { "primary.outcome", Good with { Primary = Good.Primary with { Kind = MetricKind.Latency } } },
        { "primary.direction", Good with { Primary = Good.Primary with { Direction = "up" } } },
        { "primary.absolute", Good with { Primary = Good.Primary with { Absolute = 0 } } },
        { "primary.absolute", Good with { Primary = Good.Primary with { Absolute = double.NaN } } },
        { "guardrails[0].relative", Good with { Guardrails = [Good.Guardrails[0] with { Relative = -1 }] } },
        { "guardrails[0].name", Good with { Guardrails = [Good.Guardrails[0] with { Name = "conversion" }] } },
        { "segments", Good with { Segments = ["origin", "origin"] } },
        { "alpha", Good with { Alpha = 0.5 } },
        { "power", Good with { Power = 1 } },
        { "tuned_for", Good with { TunedFor = 0 } },
        { "attribution_seconds", Good with { AttributionSeconds = -1 } },
        { "stop.min_subjects", Good with { Stop = new StopRule { MinSubjects = 10 } } },
        { "stop.max_subjects", Good with { Stop = new StopRule { MaxSubjects = 99 } } },
        { "thompson.floor", Good with { Thompson = new ThompsonPlan(60, 0.6) } },
        { "thompson.interval_seconds", Good with { Thompson = new ThompsonPlan(0, 0.1) } },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public void A_broken_rule_names_its_field(string field, object plan) => Assert.Equal(field, Assert.Single(Broken((ExperimentPlan)plan)).Field);

    [Fact]
    public void All_broken_rules_are_told_at_once() => Assert.Equal(
        ["name", "alpha", "power"],
        Broken(Good with { Alpha = 1, Power = 0 }, name: "a b").Select(v => v.Field));

    private static IReadOnlyList<FieldViolation> Broken(ExperimentPlan plan, string name = "good")
    {
        var violations = new Violations();
        violations.CheckExperiment(name, "model", plan);
        return violations.Found;
    }
}
