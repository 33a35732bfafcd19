using System.Globalization;

namespace MlOps.Gateway.Experiments.Readouts;

/// <summary>What to do, in a sentence or two that a person reads first.</summary>
internal static class Recommendation
{
    public static string Of(
        Experiment experiment, IReadOnlyList<string> problems, MetricReadout primary, SampleNeed need, StopReadout stop) => stop.State switch
        {
            StopState.Invalid =>
                $"Do not act on these figures. {string.Join(' ', problems)} Find the cause, then start a new experiment.",
            StopState.Harmful => $"Stop: {stop.Reason}.",
            StopState.Better => Better(experiment, primary, stop),
            StopState.Worse => $"Keep {stop.Arm}: {stop.Reason}.",
            StopState.NoEffect => $"Keep {stop.Arm}: {stop.Reason}.",
            StopState.Inconclusive => $"Stop without a winner: {stop.Reason}. {Missing(need)}",
            _ => $"Go on: {stop.Reason}. {Missing(need)}",
        };

    private static string Better(Experiment experiment, MetricReadout primary, StopReadout stop)
    {
        var arm = primary.Arms.First(a => a.Arm == stop.Arm);
        var version = experiment.Plan.Arms.First(a => a.Name == stop.Arm).Version;
        var lift = arm.VersusControl is { Lift: { } by, LiftLower: { } low, LiftUpper: { } high }
            ? $"{Percent(by)} ({Percent(low)} to {Percent(high)})"
            : string.Create(CultureInfo.InvariantCulture, $"{arm.VersusControl?.Difference:G4} ({arm.VersusControl?.Lower:G4} to {arm.VersusControl?.Upper:G4})");
        // Which of several good arms is the best is another question than whether each is good.
        var others = primary.Arms.Skip(1).Where(a => a.Arm != stop.Arm && Overlaps(a, arm)).Select(a => a.Arm).ToArray();
        var rest = others.Length > 0 ? $" Whether it is better than {string.Join(" and ", others)} too is open." : "";
        return $"Take {stop.Arm} (version {version}): it changes {primary.Metric.Name} by {lift}.{rest}";
    }

    private static bool Overlaps(ArmReadout one, ArmReadout other) =>
        one.VersusControl is { Lower: { } low, Upper: { } high } && other.VersusControl is { Lower: { } least, Upper: { } most } && low <= most && least <= high;

    private static string Missing(SampleNeed need) => need switch
    {
        { MoreSubjects: null } => "How many more subjects it takes cannot be told yet.",
        { MoreSubjects: 0 } => string.Create(
            CultureInfo.InvariantCulture, $"The least effect worth finding ({need.Effect:G4}) would most likely have been found by now."),
        { DaysLeft: { } days } => string.Create(
            CultureInfo.InvariantCulture, $"The least effect worth finding ({need.Effect:G4}) takes about {need.MoreSubjects:N0} more subjects, {Time(days)} at this rate."),
        _ => string.Create(CultureInfo.InvariantCulture, $"The least effect worth finding ({need.Effect:G4}) takes about {need.MoreSubjects:N0} more subjects."),
    };

    private static string Time(double days) => days switch
    {
        >= 2 => string.Create(CultureInfo.InvariantCulture, $"{days:N0} days"),
        >= 2 / 24.0 => string.Create(CultureInfo.InvariantCulture, $"{days * 24:N0} hours"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{Math.Ceiling(days * 24 * 60):N0} minutes"),
    };

    private static string Percent(double share) => string.Create(CultureInfo.InvariantCulture, $"{share * 100:+0.0;−0.0;0.0} %");
}
