using System.Text;
using MlOps.Gateway.Experiments.Readouts;

namespace MlOps.Gateway.Experiments.Reports;

/// <summary>The metrics of the page: each a table whose rows carry their interval, on one scale.</summary>
internal static class MetricSection
{
    public static void Primary(StringBuilder page, ExperimentReadout readout)
    {
        var (metric, isShare) = (readout.Primary.Metric, MetricKind.IsShare(readout.Primary.Metric.Kind));
        var sign = metric.Direction == "higher" ? 1 : -1;
        double[] marks = readout.Need.Effect is { } effect ? [0, sign * effect] : [0];
        var scale = new PlotScale([.. Bounds(readout.Primary.Arms), .. marks]);
        page.Append(
            $"""
            <section class="metric"><h2>{ReportPage.Text(metric.Name)}</h2><p class="note">{ReportPage.Text(Words(metric))}; {metric.Direction} is better. The dashed line is the least effect worth finding.</p>
            <div class="scroll"><table><thead><tr><th>Arm</th><th>Subjects</th><th>Mean</th><th>Difference</th><th>Lift</th><th class="plot">Difference to {ReportPage.Text(readout.Primary.Arms[0].Arm)}, with its interval</th><th>p</th></tr></thead><tbody>

            """);
        foreach (var arm in readout.Primary.Arms) Row(page, arm, arm.Arm, scale, isShare, sign, marks);
        page.Append($"""</tbody><tfoot><tr><td colspan="5"></td><td class="plot">{IntervalPlot.Axis(scale, v => ReportNumbers.Tick(v, isShare))}</td><td></td></tr></tfoot></table></div></section>""").Append('\n');
    }

    public static void Guardrails(StringBuilder page, ExperimentReadout readout)
    {
        if (readout.Guardrails.Count == 0) return;
        page.Append("<section class=\"metric\"><h2>Guardrails</h2><p class=\"note\">The dashed line is the margin: beyond it a guardrail is broken.</p>");
        foreach (var guardrail in readout.Guardrails) Guardrail(page, guardrail);
        page.Append("</section>\n");
    }

    public static void Segments(StringBuilder page, ExperimentReadout readout)
    {
        var (metric, isShare) = (readout.Primary.Metric, MetricKind.IsShare(readout.Primary.Metric.Kind));
        foreach (var input in readout.Segments.GroupBy(s => s.Input))
        {
            var scale = new PlotScale([.. input.SelectMany(s => Bounds(s.Arms)), 0]);
            page.Append(
                $"""
                <section class="metric"><h2>{ReportPage.Text(metric.Name)} by {ReportPage.Text(input.Key)}</h2><p class="note">For questions, not for decisions: the stop rule does not look here.</p>
                <div class="scroll"><table><thead><tr><th>{ReportPage.Text(input.Key)}</th><th>Subjects</th><th>Mean</th><th>Difference</th><th>Lift</th><th class="plot">Difference, with its interval</th><th>p</th></tr></thead><tbody>

                """);
            foreach (var segment in input)
            {
                var name = segment.Segment.Length > 0 ? segment.Segment : "(none)";
                foreach (var arm in segment.Arms.Skip(1))
                    Row(page, arm, segment.Arms.Count > 2 ? $"{name} · {arm.Arm}" : name, scale, isShare, metric.Direction == "higher" ? 1 : -1, [0]);
            }

            page.Append($"""</tbody><tfoot><tr><td colspan="5"></td><td class="plot">{IntervalPlot.Axis(scale, v => ReportNumbers.Tick(v, isShare))}</td><td></td></tr></tfoot></table></div></section>""").Append('\n');
        }
    }

    private static void Row(StringBuilder page, ArmReadout arm, string name, PlotScale scale, bool isShare, int sign, double[] marks)
    {
        var lift = arm.VersusControl;
        var tone = sign * lift?.Lower > 0 && sign * lift?.Upper > 0 ? "good" : sign * lift?.Lower < 0 && sign * lift?.Upper < 0 ? "bad" : "open";
        var label = $"{name}: {ReportNumbers.Change(lift?.Difference, isShare)}, {ReportNumbers.Change(lift?.Lower, isShare)} to {ReportNumbers.Change(lift?.Upper, isShare)}";
        page.Append(
            $"""
            <tr><th scope="row">{ReportPage.Text(name)}</th><td class="number">{ReportNumbers.Count(arm.Subjects)}</td><td class="number">{ReportNumbers.Value(arm.Unbiased ?? arm.Mean, isShare)}</td>
            <td class="number">{(lift is null ? "control" : ReportNumbers.Change(lift.Difference, isShare))}</td><td class="number">{(lift is null ? "" : Lift(lift))}</td>
            <td class="plot">{(lift is null ? IntervalPlot.Row(scale, null, null, null, tone, name, marks) : IntervalPlot.Row(scale, lift.Difference, lift.Lower, lift.Upper, tone, label, marks))}</td>
            <td class="number">{(lift is null ? "" : ReportNumbers.Chance(lift.PValue))}</td></tr>

            """);
    }

    private static string Lift(LiftReadout lift) => lift is { LiftLower: { } low, LiftUpper: { } high }
        ? $"{ReportNumbers.Percent(lift.Lift)}<small>{ReportNumbers.Percent(low)} to {ReportNumbers.Percent(high)}</small>"
        : ReportNumbers.Percent(lift.Lift);

    private static void Guardrail(StringBuilder page, GuardrailReadout guardrail)
    {
        var isShare = MetricKind.IsShare(guardrail.Metric.Kind);
        double[] margins = [.. guardrail.Arms.Select(a => a.Margin).OfType<double>().Distinct().Take(1)];
        var sign = guardrail.Metric.Direction == "higher" ? -1 : 1;
        double[] marks = [0, .. margins.Where(m => m != 0).Select(m => sign * Math.Abs(m))];
        var scale = new PlotScale([.. guardrail.Arms.SelectMany(a => new[] { a.Lower, a.Upper, a.Difference }), .. marks]);
        page.Append(
            $"""
            <div class="scroll"><table><thead><tr><th>{ReportPage.Text(guardrail.Metric.Name)}</th><th></th><th>Control</th><th>Arm</th><th>More needed</th><th class="plot">{ReportPage.Text(Words(guardrail.Metric))}; difference, with its interval</th><th>p</th></tr></thead><tbody>

            """);
        foreach (var arm in guardrail.Arms)
        {
            var tone = arm.State switch { "kept" => "good", "broken" => "bad", _ => "open" };
            page.Append(
                $"""
                <tr><th scope="row">{ReportPage.Text(arm.Arm)}</th><td><span class="chip {tone}">{arm.State}</span></td><td class="number">{ReportNumbers.Value(arm.Control, isShare)}</td><td class="number">{ReportNumbers.Value(arm.Treatment, isShare)}</td>
                <td class="number">{ReportNumbers.Count(arm.MoreNeeded)}</td><td class="plot">{IntervalPlot.Row(scale, arm.Difference, arm.Lower, arm.Upper, tone, $"{arm.Arm}: {arm.State}", marks)}</td><td class="number">{ReportNumbers.Chance(arm.PValue)}</td></tr>

                """);
        }

        page.Append($"""</tbody><tfoot><tr><td colspan="5"></td><td class="plot">{IntervalPlot.Axis(scale, v => ReportNumbers.Tick(v, isShare))}</td><td></td></tr></tfoot></table></div>""").Append('\n');
    }

    private static IEnumerable<double?> Bounds(IEnumerable<ArmReadout> arms) => arms.SelectMany(a => new[]
    {
        a.VersusControl?.Lower, a.VersusControl?.Upper, a.VersusControl?.Difference,
    });

    private static string Words(ExperimentMetric metric) => metric.Kind switch
    {
        MetricKind.ErrorRate => "Share of requests without a prediction",
        MetricKind.Latency => "Milliseconds per answered request",
        MetricKind.Prediction => "Mean of the prediction",
        MetricKind.Label => "Mean of the label",
        MetricKind.AbsoluteError => "Mean distance of prediction and label",
        MetricKind.SquaredError => "Mean squared distance of prediction and label",
        MetricKind.OutcomeTotal => $"Sum of {metric.Outcome} per subject",
        MetricKind.OutcomeShare => $"Share of subjects with {metric.Outcome}",
        _ => $"Mean of {metric.Outcome}",
    };
}
