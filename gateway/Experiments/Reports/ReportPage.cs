using System.Net;
using System.Text;
using MlOps.Gateway.Experiments.Readouts;

namespace MlOps.Gateway.Experiments.Reports;

/// <summary>
/// A read-out as one page that needs nothing else: styles and plots are in it, light or dark as the reader's device is. Every text of
/// an experiment is encoded.
/// </summary>
internal static class ReportPage
{
    public static string Of(ExperimentReadout readout)
    {
        var page = new StringBuilder();
        page.Append(
            $"""
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark"><title>{Text(readout.Name)} · experiment</title><style>{ReportStyle.Css}</style></head>
            <body><main class="{(readout.IsValid ? "" : "doubt")}">
            <header><p class="kind">Experiment on {Text(readout.Model)}</p><h1>{Text(readout.Name)} <span class="state">{Text(readout.State)}</span></h1>
            <p class="hypothesis">{Text(readout.Hypothesis)}</p></header>
            <section class="verdict {Tone(readout)}"><h2>{Text(Heading(readout.Stop.State))}</h2><p>{Text(readout.Recommendation)}</p></section>

            """);
        Facts(page, readout);
        MetricSection.Primary(page, readout);
        MetricSection.Guardrails(page, readout);
        MetricSection.Segments(page, readout);
        Exposure(page, readout);
        Periods(page, readout);
        page.Append(
            $"""
            <footer>Read at {ReportNumbers.Time(readout.At)}. Intervals hold at every look at once: this page may be opened as often as one likes.</footer>
            </main></body></html>

            """);
        return page.ToString();
    }

    public static string Text(string text) => WebUtility.HtmlEncode(text);

    private static void Facts(StringBuilder page, ExperimentReadout readout)
    {
        var need = readout.Need;
        (string Name, string Value)[] facts =
        [
            ("Subjects", ReportNumbers.Count(readout.SampleRatio.Arms.Sum(a => a.Subjects))),
            ("Since, UTC", ReportNumbers.Time(readout.StartedAt).Replace(" UTC", "", StringComparison.Ordinal)),
            (readout.EndedAt is null ? "Power so far" : "Power", need.Power is { } p ? ReportNumbers.Value(p, isShare: true) : ReportNumbers.None),
            ("Subjects still needed", ReportNumbers.Count(need.MoreSubjects)),
            ("Split as declared", readout.SampleRatio.IsMismatch ? "no" : $"yes (p {ReportNumbers.Chance(readout.SampleRatio.PValue)})"),
        ];
        page.Append("<dl class=\"facts\">");
        foreach (var (name, value) in facts) page.Append($"<div><dt>{Text(name)}</dt><dd>{Text(value)}</dd></div>");
        page.Append("</dl>\n");
    }

    private static void Exposure(StringBuilder page, ExperimentReadout readout)
    {
        page.Append("<section><h2>Who took part</h2><div class=\"scroll\"><table><thead><tr><th>Arm</th><th>Version</th><th>Subjects</th><th>Expected</th></tr></thead><tbody>");
        foreach (var arm in readout.SampleRatio.Arms)
        {
            page.Append(
                $"<tr><th scope=\"row\">{Text(arm.Arm)}</th><td class=\"number\">{Text(arm.Version)}</td><td class=\"number\">{ReportNumbers.Count(arm.Subjects)}</td><td class=\"number\">{ReportNumbers.Count(arm.Expected)}</td></tr>");
        }

        page.Append($"</tbody></table></div><p class=\"note\">{ReportNumbers.Count(readout.SampleRatio.Crossed)} subjects met more than one arm; no figure takes them in.</p></section>\n");
    }

    private static void Periods(StringBuilder page, ExperimentReadout readout)
    {
        if (readout.Periods.Count < 2) return;
        page.Append("<section><h2>Weights</h2>").Append(IntervalPlot.Shares([.. readout.Periods.Select(p => p.Weights)])).Append("<p class=\"legend\">");
        foreach (var (arm, i) in readout.SampleRatio.Arms.Select((a, i) => (a, i)))
            page.Append($"<span><i class=\"arm-{i % 10}\"></i>{Text(arm.Arm)} {ReportNumbers.Value(readout.Periods[^1].Weights[i], isShare: true)}</span>");
        page.Append($"</p><p class=\"note\">By period, {ReportNumbers.Count(readout.Periods.Count)} so far; the figures now. Means are weighted by the chance each arm had.</p></section>\n");
    }

    private static string Tone(ExperimentReadout readout) => readout.Stop.State switch
    {
        StopState.Invalid or StopState.Harmful => "bad",
        StopState.Better => "good",
        StopState.Worse or StopState.NoEffect or StopState.Inconclusive => "warn",
        _ => "open",
    };

    private static string Heading(string state) => state switch
    {
        StopState.Invalid => "Not to be trusted",
        StopState.Harmful => "A guardrail is broken",
        StopState.Better => "An arm is better",
        StopState.Worse => "The control is better",
        StopState.NoEffect => "No effect worth having",
        StopState.Inconclusive => "No winner",
        _ => "Still collecting",
    };
}
