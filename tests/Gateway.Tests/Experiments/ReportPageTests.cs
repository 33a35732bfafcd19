using System.Text.RegularExpressions;
using System.Xml.Linq;
using MlOps.Gateway.Experiments.Reports;

namespace MlOps.Gateway.Tests.Experiments;

public sealed partial class ReportPageTests
{
    [Fact]
    public void It_says_what_to_do_and_draws_an_interval_for_every_treatment()
    {
        var experiment = new SimulatedExperiment(7, [0.2, 0.2, 0.3]);
        experiment.Meet(6_000);
        var readout = experiment.Read();
        var page = ReportPage.Of(readout);
        Assert.Contains(ReportPage.Text(readout.Recommendation), page, StringComparison.Ordinal);
        Assert.Contains("verdict good", page, StringComparison.Ordinal);
        // Two of the primary metric and two of the guardrail.
        Assert.Equal(4, Plots(page).Count(p => p.Descendants().Any(e => e.Attribute("class")?.Value.StartsWith("bar", StringComparison.Ordinal) == true)));
    }

    [Fact]
    public void It_needs_nothing_from_elsewhere_and_shows_texts_as_texts()
    {
        var experiment = new SimulatedExperiment(8, [0.2, 0.2], plan: SimulatedExperiment.PlanOf() with { Hypothesis = "<script>alert('x')</script> & \"more\"" });
        experiment.Meet(300);
        var page = ReportPage.Of(experiment.Read());
        Assert.DoesNotContain("<script", page, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("&lt;script&gt;", page, StringComparison.Ordinal);
        Assert.DoesNotMatch(ElsewherePattern(), page);
        Assert.Contains("prefers-color-scheme:dark", page, StringComparison.Ordinal);
    }

    [Fact]
    public void A_mismatch_is_the_first_thing_it_says()
    {
        var experiment = new SimulatedExperiment(9, [0.2, 0.2]);
        experiment.Meet(3_000, isLost: arm => arm == 1);
        var page = ReportPage.Of(experiment.Read());
        Assert.Contains("verdict bad", page, StringComparison.Ordinal);
        Assert.InRange(
            page.IndexOf("Do not act on these figures", StringComparison.Ordinal), 0, page.IndexOf("class=\"facts\"", StringComparison.Ordinal));
    }

    [Fact]
    public void It_is_whole_without_a_subject_and_with_moving_weights()
    {
        var none = ReportPage.Of(new SimulatedExperiment(10, [0.2, 0.2]).Read());
        Assert.Contains("cannot be told yet", none, StringComparison.Ordinal);
        var experiment = new SimulatedExperiment(11, [0.2, 0.3]);
        experiment.Meet(500);
        experiment.Move([0.3, 0.7]);
        experiment.Meet(500);
        var shares = Plots(ReportPage.Of(experiment.Read())).Single(p => p.Attribute("class")?.Value == "shares");
        Assert.Equal(4, shares.Elements().Count());
    }

    [Fact]
    public void Whatever_is_drawn_lies_within_the_plot()
    {
        var scale = new PlotScale([-0.5, 2, null, double.NaN]);
        Assert.All(new[] { -9, -0.5, 0, 2, 1e9 }, v => Assert.InRange(scale.X(v), 0, PlotScale.Width));
        Assert.InRange(scale.Ticks.Count, 2, 8);
        Assert.NotEmpty(new PlotScale([0.0]).Ticks);
        Assert.NotEmpty(new PlotScale([]).Ticks);
    }

    // Every plot is well-formed XML.
    private static XElement[] Plots(string page) => [.. PlotPattern().Matches(page).Select(m => XElement.Parse(m.Value))];

    [GeneratedRegex("<svg.*?</svg>", RegexOptions.Singleline)]
    private static partial Regex PlotPattern();

    [GeneratedRegex("(src=|href=|url\\(|@import|https?://)", RegexOptions.IgnoreCase)]
    private static partial Regex ElsewherePattern();
}
