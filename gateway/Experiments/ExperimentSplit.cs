using System.Globalization;
using MlOps.Gateway.Splits;
using MlOps.ServiceDefaults;

namespace MlOps.Gateway.Experiments;

/// <summary>
/// The traffic policy that is an experiment's split. In front of the arms stands one of weight 0 with the control's version: whoever
/// is held out, beyond the coverage or in another part of the layer is answered by it, and so is in no arm's statistics.
/// </summary>
internal static class ExperimentSplit
{
    public const string Outside = "outside";

    public static TrafficPolicy PolicyOf(string model, ExperimentPlan plan, string salt, IReadOnlyList<double> weights) =>
        new TrafficPolicy(
            model,
            [new PolicyArm(Outside, plan.Arms[0].Version, 0), .. plan.Arms.Select((a, i) => a with { Weight = weights[i] })],
            salt, plan.Coverage, plan.SubjectHeader, 0, default)
        {
            SubjectInput = plan.SubjectInput,
            SubjectJson = plan.SubjectJson,
            Layer = plan.Layer,
        }.WithDefaults();

    /// <summary>The plan with arms and split of the policy in force, where it has none of its own.</summary>
    /// <exception cref="ConflictException">
    /// NOTHING_TO_ADOPT: no policy of two arms or more that all have weight and a version number. MODEL_IS_SPLIT: a plan with arms would sweep another split aside.
    /// </exception>
    public static ExperimentPlan Adopt(string name, string model, ExperimentPlan plan, TrafficPolicy? inForce)
    {
        if (inForce?.Rollout is not null)
            throw new ConflictException("MODEL_IS_SPLIT", $"A rollout of {model} is under way; its traffic is the rollout's until that is over.");
        if (plan.Arms.Count > 0)
        {
            return inForce is null or { Arms.Count: 1 }
                ? plan with { Salt = plan.Salt.Length > 0 ? plan.Salt : name }
                : throw new ConflictException(
                    "MODEL_IS_SPLIT",
                    $"The traffic policy of {model} has {inForce.Arms.Count} arms; end that split first, or leave out arms to adopt it.");
        }

        PolicyArm[] arms = [.. (inForce?.Arms ?? []).SkipWhile(a => a is { Name: Outside, Weight: 0 })];
        if (inForce is null || arms.Length is < 2 or > ExperimentRules.MaxArms || arms.Any(a => a.Weight <= 0 || !ExperimentRules.IsNumber(a.Version)))
        {
            throw new ConflictException(
                "NOTHING_TO_ADOPT",
                $"The model {model} has no traffic policy of 2 to {ExperimentRules.MaxArms} arms, each with weight and a version number, that could be adopted.");
        }

        return plan with
        {
            Arms = arms,
            Salt = inForce.Salt,
            Coverage = inForce.Coverage,
            SubjectHeader = inForce.SubjectHeader,
            SubjectInput = inForce.SubjectInput,
            SubjectJson = inForce.SubjectJson,
            Layer = inForce.Layer,
        };
    }

    /// <summary>Every period but the first draws its subjects anew.</summary>
    public static string SaltOf(ExperimentPlan plan, int period) =>
        period == 1 ? plan.Salt : string.Create(CultureInfo.InvariantCulture, $"{plan.Salt}:{period}");
}
