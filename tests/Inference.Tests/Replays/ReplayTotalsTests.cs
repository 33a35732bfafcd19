using MlOps.Contracts.Monitoring.V1;
using MlOps.Contracts.Tables.V1;
using MlOps.Inference.Models;
using MlOps.Inference.Predictions;
using MlOps.Inference.Replays;

namespace MlOps.Inference.Tests.Replays;

public sealed class ReplayTotalsTests
{
    [Fact]
    public void Differences_are_those_of_the_definition()
    {
        var random = new Random(1);
        (double Logged, double Replayed)[] pairs =
            [.. Enumerable.Range(0, 500).Select(_ => (100 + random.NextDouble(), 100 + (2 * random.NextDouble()))), (0, 0.5), (7, 7)];
        var totals = new ReplayTotals(threshold: 100.5);

        for (var i = 0; i < pairs.Length; i++) totals.Add($"{i}", pairs[i].Logged, pairs[i].Replayed);
        var summary = totals.ToSummary("prediction");

        var differences = pairs.Select(p => Math.Abs(p.Replayed - p.Logged)).ToArray();
        Assert.Equal((502, 0, 1), (summary.Count, summary.Skipped, summary.Equal));
        Assert.Equal(differences.Max(), summary.MaxAbsoluteDifference);
        Assert.Equal($"{Array.IndexOf(differences, differences.Max())}", summary.WorstPredictionId);
        Assert.Equal(differences.Average(), summary.MeanAbsoluteDifference, 1e-12);
        Assert.Equal(pairs.Where(p => p.Logged != 0).Max(p => Math.Abs(p.Replayed - p.Logged) / Math.Abs(p.Logged)), summary.MaxRelativeDifference);
        Assert.Equal(pairs.Count(p => (p.Logged >= 100.5) != (p.Replayed >= 100.5)), summary.Flips);
        var (a, b) = (pairs.Average(p => p.Logged), pairs.Average(p => p.Replayed));
        var product = pairs.Sum(p => (p.Logged - a) * (p.Replayed - b));
        var scale = Math.Sqrt(pairs.Sum(p => Math.Pow(p.Logged - a, 2)) * pairs.Sum(p => Math.Pow(p.Replayed - b, 2)));
        Assert.Equal(product / scale, summary.Correlation, 1e-12);
    }

    [Fact]
    public void Of_nothing_and_of_what_is_no_number_there_is_no_difference()
    {
        var none = new ReplayTotals(null).ToSummary("y");
        var totals = new ReplayTotals(null);
        totals.Add("a", double.NaN, double.NaN);
        totals.Add("b", double.NaN, 1);
        totals.Add("c", double.PositiveInfinity, double.PositiveInfinity);
        var odd = totals.ToSummary("y");

        foreach (var summary in (MlOps.Contracts.Inference.V1.ReplaySummary[])[none, odd])
        {
            Assert.True(double.IsNaN(summary.MaxAbsoluteDifference) && double.IsNaN(summary.MaxRelativeDifference));
            Assert.True(double.IsNaN(summary.MeanAbsoluteDifference) && double.IsNaN(summary.Correlation));
            Assert.Equal("", summary.WorstPredictionId);
        }

        Assert.Equal((3, 2), (odd.Count, odd.Equal));
    }

    [Fact]
    public void Logged_columns_are_the_models_inputs_again()
    {
        using var model = SampleModels.Named("rows of integers and doubles").Open();
        using var workspace = model.RentWorkspace(0);
        var logged = new Table
        {
            Columns =
            {
                new Column { Name = "n[0]", Integers = new() { Values = { 1, 2 } } },
                new Column { Name = "n[1]", Integers = new() { Values = { 3, 4 } } },
                new Column { Name = "d[0]", Doubles = new() { Values = { 0.5, 1.5 } } },
                new Column { Name = "d[1]", Doubles = new() { Values = { 2.5, 3.5 } } },
                new Column { Name = "d[2]", Doubles = new() { Values = { 4.5, double.NaN } } },
            },
        };

        Assert.Null(LoggedInputs.TryFill(workspace, logged, 2));

        Assert.Equal(2, workspace.Rows);
        Assert.Equal([1, 3, 2, 4], Enumerable.Range(0, 4).Select(i => Tensors.IntegerAt(workspace.Inputs[0].Layout.Datatype, workspace.Inputs[0].Bytes, i)));
        Assert.Equal([0.5, 2.5, 4.5, 1.5, 3.5, double.NaN], Enumerable.Range(0, 6).Select(i => Tensors.NumberAt(workspace.Inputs[1].Layout.Datatype, workspace.Inputs[1].Bytes, i)));
    }

    [Theory]
    [InlineData("masked:0123,masked:4567", "input 'origin' is masked in the log, in column 'origin'")]
    [InlineData("masked:0123,", "input 'origin' is masked in the log, in column 'origin'")]
    [InlineData(",", null)]
    [InlineData("masked:0123,ATL", null)]
    public void A_masked_column_is_told_from_one_that_is_not(string origins, string? reason)
    {
        using var model = SampleModels.Named("linear export").Open();
        using var workspace = model.RentWorkspace(0);
        var logged = new Table
        {
            Columns =
            {
                new Column { Name = "distance", Doubles = new() { Values = { 1, 2 } } },
                new Column { Name = "hour", Doubles = new() { Values = { 1, 2 } } },
                new Column { Name = "origin", Texts = new() { Values = { origins.Split(',') } } },
            },
        };

        Assert.Equal("masked:", PredictionRecord.MaskedPrefix);
        Assert.Equal(reason, LoggedInputs.TryFill(workspace, logged, 2));
    }

    [Fact]
    public void What_the_log_lacks_or_has_in_another_form_is_named()
    {
        using var model = SampleModels.Named("linear export").Open(new ModelSettings { Log = new() { Masked = ["hour"] } });
        using var workspace = model.RentWorkspace(0);
        var distance = new Column { Name = "distance", Doubles = new() { Values = { 1 } } };

        Assert.Equal("input 'distance' is not in the log", LoggedInputs.TryFill(workspace, new Table(), 1));
        foreach (var slot in workspace.Inputs) slot.Clear();
        Assert.Equal("input 'hour' is personal and therefore not in the log", LoggedInputs.TryFill(workspace, new Table { Columns = { distance } }, 1));
        foreach (var slot in workspace.Inputs) slot.Clear();
        Assert.Contains(
            "input 'distance' must be numbers",
            LoggedInputs.TryFill(workspace, new Table { Columns = { new Column { Name = "distance", Texts = new() { Values = { "far" } } } } }, 1),
            StringComparison.Ordinal);
    }
}
