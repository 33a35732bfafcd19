using System.Globalization;
using System.Net;
using System.Text;

namespace MlOps.Flights.Reporting;

/// <summary>The report as one self-contained page: no script, no request to anywhere, light and dark.</summary>
internal static class ReportPage
{
    private const string Style = """
        :root { --ink: #1b2430; --soft: #5b6878; --line: #dde3ea; --paper: #fff; --ground: #f4f6f9; --a: #2f6fdb; --b: #e07b39; --ok: #2a8f5b; --bad: #c7433a; }
        @media (prefers-color-scheme: dark) { :root { --ink: #e7ecf2; --soft: #9aa7b6; --line: #2d3744; --paper: #1a212b; --ground: #12171e; --a: #6ea3ff; --b: #f2a067; --ok: #5cc98f; --bad: #f0807a; } }
        * { box-sizing: border-box; }
        body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
        main { max-width: 1080px; margin: 0 auto; padding: 32px 20px 56px; }
        h1 { font-size: 28px; margin: 0; letter-spacing: -0.01em; } h2 { font-size: 17px; margin: 0 0 2px; }
        p { margin: 4px 0 0; color: var(--soft); } code { font: 12.5px ui-monospace, monospace; overflow-wrap: anywhere; }
        .tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(180px, 1fr)); gap: 14px; margin: 22px 0; }
        .tile, section { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 16px 18px; }
        .tile b { display: block; font-size: 25px; font-weight: 650; letter-spacing: -0.01em; } .tile span { color: var(--soft); font-size: 13px; }
        .grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(440px, 1fr)); gap: 14px; } section { min-width: 0; }
        @media (max-width: 520px) { .grid { grid-template-columns: 1fr; } }
        svg { display: block; width: 100%; height: auto; margin-top: 12px; } svg text { fill: var(--soft); font: 11.5px system-ui, sans-serif; }
        svg .ink { fill: var(--ink); } svg line { stroke: var(--line); } .a { fill: var(--a); } .b { fill: var(--b); } .la { stroke: var(--a); } .lb { stroke: var(--b); }
        table { border-collapse: collapse; width: 100%; margin-top: 10px; font-size: 13.5px; font-variant-numeric: tabular-nums; }
        th { text-align: left; color: var(--soft); font-weight: 500; } th, td { padding: 5px 8px 5px 0; border-bottom: 1px solid var(--line); } td.n, th.n { text-align: right; }
        .ok { color: var(--ok); } .bad { color: var(--bad); } .key { display: inline-block; width: 10px; height: 10px; border-radius: 3px; margin: 0 5px 0 12px; vertical-align: -1px; }
        """;

    public static string Render(Report report)
    {
        var first = report.Versions[0];
        var second = report.Versions[1];
        var page = new StringBuilder();
        page.Append(CultureInfo.InvariantCulture, $"""
            <!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
            <title>flight-delay: the demo's report</title><style>{Style}</style></head><body><main>
            <h1>flight-delay</h1>
            <p>Arrival delay in minutes, learnt from {report.Dataset.TrainingSetRows:N0} US flights of January and February 2001, served through March 2001 on features up to six hours old.
            Run of {report.FinishedAt:yyyy-MM-dd HH:mm} UTC, {report.TotalSeconds:0} s.</p>
            <div class="tiles">
            {Tile($"{first.Test[^1].Rmse:0.00} min", $"test RMSE of version {first.Version}; predicting the mean: {first.Test.First(s => s.Name == "mean").Rmse:0.00}")}
            {Tile($"{report.PredictionLog.Logged:N0}", $"predictions logged of {report.PredictionLog.Answered:N0} answered, each once")}
            {Tile($"{report.Drift.Count(d => d.IsDrifted)} of {report.Drift.Count}", "columns drifted in March (PSI ≥ 0.1)")}
            {Tile(first.ExportMaxDifference == 0 ? "0 bits" : $"{first.ExportMaxDifference:G2}", "between the trainer's predictions and ONNX Runtime's")}
            </div><div class="grid">
            <section><h2>Delays, January and February beside March</h2><p>Share of flights by minutes of delay<span class="key" style="background:var(--a)"></span>Jan–Feb<span class="key" style="background:var(--b)"></span>March</p>{DelayChart(report.Delays)}</section>
            <section><h2>RMSE by version and week of March</h2><p>Minutes, over labelled flights<span class="key" style="background:var(--a)"></span>version {first.Version}<span class="key" style="background:var(--b)"></span>version {second.Version}</p>{WeeklyChart(report)}</section>
            <section><h2>Drift against the training profile</h2><p>Population stability index; the line marks 0.1</p>{DriftChart(report.Drift)}</section>
            <section><h2>Traffic split by subject</h2><p>1,000 subjects, one request each, before and after each live change</p>{SplitChart(report.Split)}</section>
            </div>
            """);
        page.Append("<div class=\"grid\" style=\"margin-top:14px\">");
        foreach (var version in report.Versions) page.Append(VersionSection(version));
        page.Append("</div>");
        page.Append(CultureInfo.InvariantCulture, $"""
            <section style="margin-top:14px"><h2>March, by version</h2>{Table(
                ["Version", "Labelled flights", "RMSE", "MAE", "Bias"],
                report.March.Select(p => new[] { p.Version, $"{p.Labelled:N0}", $"{p.Rmse:0.000}", $"{p.Mae:0.000}", $"{p.Bias:+0.000;-0.000}" }))}</section>
            <section style="margin-top:14px"><h2>Some flights</h2>{Table(
                ["Flight", "Predicted, min", "Was, min"],
                report.Examples.Take(8).Select(e => new[] { e.Flight, $"{e.Prediction:0.0}", $"{e.Delay:0}" }))}
            <p>Training set <code>{report.Dataset.Digest}</code></p></section>
            </main></body></html>
            """);
        return page.ToString();
    }

    private static string Tile(string figure, string words) => $"<div class=\"tile\"><b>{Text(figure)}</b><span>{Text(words)}</span></div>";

    private static string VersionSection(Report.VersionFigures version) => string.Create(CultureInfo.InvariantCulture, $"""
        <section><h2>Version {version.Version}</h2><p>Run <code>{Text(version.RunId)}</code></p>{Table(
            ["On the test part", "RMSE", "MAE", "R²"],
            version.Test.Select(s => new[] { s.Name, $"{s.Rmse:0.000}", $"{s.Mae:0.000}", $"{s.RSquared:0.000}" }))}{Table(
            ["Trial", "Settings", "Rounds", "Validation RMSE"],
            version.Trials.OrderBy(t => t.ValidationRmse).Select(t => new[]
            {
                $"{t.Number}", string.Join(", ", t.Parameters.Where(p => Varies(version, p.Key)).Select(p => $"{p.Key} {p.Value}")), $"{t.BestRound}", $"{t.ValidationRmse:0.000}",
            }))}</section>
        """);

    private static string Table(string[] heads, IEnumerable<string[]> rows)
    {
        var html = new StringBuilder("<table><tr>");
        for (var i = 0; i < heads.Length; i++) html.Append(CultureInfo.InvariantCulture, $"<th{Numeric(i, heads[i])}>{Text(heads[i])}</th>");
        html.Append("</tr>");
        foreach (var row in rows)
        {
            html.Append("<tr>");
            for (var i = 0; i < row.Length; i++) html.Append(CultureInfo.InvariantCulture, $"<td{Numeric(i, heads[i])}>{Text(row[i])}</td>");
            html.Append("</tr>");
        }

        return html.Append("</table>").ToString();
    }

    private static bool Varies(Report.VersionFigures version, string parameter) =>
        version.Trials.Select(t => t.Parameters.GetValueOrDefault(parameter)).Distinct().Count() > 1;

    private static string Numeric(int column, string head) => column == 0 || head == "Settings" ? "" : " class=\"n\"";

    private static string DelayChart(Report.Histogram delays)
    {
        var chart = new Chart(520, 240);
        var top = Math.Ceiling(delays.JanuaryFebruary.Concat(delays.March).Max() * 20) / 20;
        chart.Grid(top, (int)Math.Round(top / 0.05), v => $"{v * 100:0} %");
        for (var i = 0; i < delays.Edges.Count; i++)
        {
            var (left, width) = chart.Slot(i, delays.Edges.Count);
            chart.Bar(left + width * 0.12, width * 0.36, delays.JanuaryFebruary[i] / top, "a");
            chart.Bar(left + width * 0.50, width * 0.36, delays.March[i] / top, "b");
            chart.Label(left + width / 2, i == delays.Edges.Count - 1 ? $"{delays.Edges[i]:0}+" : $"{delays.Edges[i]:0}");
        }

        return chart.ToString();
    }

    private static string WeeklyChart(Report report)
    {
        var weeks = report.MarchByWeek.Select(p => p.From).Distinct().Order().ToList();
        var chart = new Chart(520, 240);
        var top = Math.Ceiling(report.MarchByWeek.Select(p => p.Rmse).DefaultIfEmpty(1).Max() / 10) * 10;
        chart.Grid(top, (int)Math.Round(top / 10), v => $"{v:0}");
        for (var i = 0; i < weeks.Count; i++)
        {
            var (left, width) = chart.Slot(i, weeks.Count);
            for (var v = 0; v < 2; v++)
            {
                var point = report.MarchByWeek.FirstOrDefault(p => p.From == weeks[i] && p.Version == $"{report.Versions[v].Version}");
                if (point is null) continue;
                var at = left + width * (v == 0 ? 0.16 : 0.52);
                chart.Bar(at, width * 0.32, point.Rmse / top, v == 0 ? "a" : "b");
                chart.Above(at + width * 0.16, point.Rmse / top, $"{point.Rmse:0.0}");
            }

            chart.Label(left + width / 2, $"from {weeks[i]:MMM d}");
        }

        return chart.ToString();
    }

    private static string DriftChart(IReadOnlyList<Report.DriftFigures> drift)
    {
        const double Left = 190, Width = 270, Row = 22;
        var sorted = drift.OrderByDescending(d => d.Psi).ToList();
        var top = Math.Max(0.2, sorted.Max(d => d.Psi) * 1.05);
        var height = sorted.Count * Row + 8;
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"<svg viewBox=\"0 0 520 {height:0}\" role=\"img\" aria-label=\"Population stability index by column\">");
        for (var i = 0; i < sorted.Count; i++)
        {
            var y = i * Row + 4;
            svg.Append(CultureInfo.InvariantCulture, $"<text class=\"ink\" x=\"{Left - 8}\" y=\"{y + 14}\" text-anchor=\"end\">{Text(sorted[i].Feature)}</text>");
            svg.Append(CultureInfo.InvariantCulture, $"<rect class=\"{(sorted[i].IsDrifted ? "b" : "a")}\" rx=\"2\" x=\"{Left}\" y=\"{y + 3}\" width=\"{Math.Max(1, sorted[i].Psi / top * Width):0.0}\" height=\"{Row - 8}\"/>");
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{Left + sorted[i].Psi / top * Width + 6:0.0}\" y=\"{y + 14}\">{sorted[i].Psi:0.000}</text>");
        }

        var mark = Left + 0.1 / top * Width;
        svg.Append(CultureInfo.InvariantCulture, $"<line x1=\"{mark:0.0}\" x2=\"{mark:0.0}\" y1=\"0\" y2=\"{height}\" stroke-dasharray=\"3 3\" style=\"stroke:var(--bad)\"/></svg>");
        return svg.ToString();
    }

    private static string SplitChart(IReadOnlyList<MlOps.Flights.Steps.SplitTraffic.Phase> phases)
    {
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"<svg viewBox=\"0 0 520 {phases.Count * 52 + 6}\" role=\"img\" aria-label=\"Requests per version\">");
        for (var i = 0; i < phases.Count; i++)
        {
            var all = phases[i].Champion + phases[i].Challenger;
            var champion = 420.0 * phases[i].Champion / all;
            svg.Append(CultureInfo.InvariantCulture, $"<text class=\"ink\" x=\"0\" y=\"{i * 52 + 31}\">{phases[i].Name}</text>");
            svg.Append(CultureInfo.InvariantCulture, $"<rect class=\"a\" x=\"80\" y=\"{i * 52 + 12}\" width=\"{champion:0.0}\" height=\"28\" rx=\"3\"/>");
            svg.Append(CultureInfo.InvariantCulture, $"<rect class=\"b\" x=\"{80 + champion:0.0}\" y=\"{i * 52 + 12}\" width=\"{420 - champion:0.0}\" height=\"28\" rx=\"3\"/>");
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"80\" y=\"{i * 52 + 52}\">champion {phases[i].Champion:N0} · challenger {phases[i].Challenger:N0}</text>");
        }

        return svg.Append("</svg>").ToString();
    }

    private static string Text(string text) => WebUtility.HtmlEncode(text);
}
