using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Tables.V1;
using MlOps.Contracts.Training.V1;
using MlOps.ServiceDefaults;
using MlOps.Training.Pipelines;
using MlOps.Training.Trainers;
using MlOps.Training.Trainers.Xgboost;

namespace MlOps.Training.Tests.Pipelines;

public sealed class PipelineRulesTests
{
    private static readonly TrainerCatalogue Trainers = new([new XgboostTrainer(new XgboostLibrary()), new LinearTrainer()]);

    [Fact]
    public void A_sound_pipeline_breaks_no_rule() => Assert.Empty(Check(SyntheticRows.Pipeline()));

    [Fact]
    public void An_empty_pipeline_is_told_everything_at_once()
    {
        var fields = Check(new Pipeline()).Select(violation => violation.Field).ToArray();
        string[] expected =
        [
            "pipeline.model", "pipeline.dataset_digest", "pipeline.label_column", "pipeline.time_column", "pipeline.inputs",
            "pipeline.split", "pipeline.trainer",
        ];
        Assert.Equal(expected, fields);
    }

    [Fact]
    public void An_unknown_trainer_is_told_which_there_are_and_an_absent_one_why()
    {
        Assert.Contains("xgboost, linear", Rule(p => p.Trainer = "catboost", "pipeline.trainer"));
        Assert.Contains("not part of this build", Rule(p => p.Trainer = "mlnet", "pipeline.trainer"));
    }

    [Fact]
    public void Parameters_are_checked_by_name_and_value()
    {
        Assert.Contains("is no parameter", Rule(p => p.Parameters["depth"] = "3", "pipeline.parameters[depth]"));
        Assert.Contains("must be", Rule(p => p.Parameters["eta"] = "fast", "pipeline.parameters[eta]"));
        Assert.Contains("given twice", Rule(
            p =>
            {
                p.Parameters["eta"] = "0.1";
                p.Parameters["learning_rate"] = "0.2";
            },
            "pipeline.parameters[eta]"));
    }

    [Fact]
    public void The_search_cannot_try_more_than_the_grid_has()
    {
        Assert.Contains("the grid has 4 configurations", Rule(
            p => p.Search = new() { Trials = 5, Dimensions = { Over("eta", "0.1", "0.2"), Over("max_depth", "3", "4") } },
            "pipeline.search.trials"));
        Assert.Contains("is given already", Rule(
            p =>
            {
                p.Parameters["learning_rate"] = "0.1";
                p.Search = new() { Trials = 1, Dimensions = { Over("eta", "0.1") } };
            },
            "pipeline.search.dimensions[0].parameter"));
    }

    [Theory]
    [InlineData(0, 0.2)]
    [InlineData(0.2, 0)]
    [InlineData(0.5, 0.5)]
    [InlineData(double.NaN, 0.2)]
    public void Fractions_must_leave_something_to_train_on(double validation, double test)
    {
        var pipeline = SyntheticRows.Pipeline();
        pipeline.Split = new() { ValidationFraction = validation, TestFraction = test };
        Assert.Contains(Check(pipeline), violation => violation.Field.StartsWith("pipeline.split", StringComparison.Ordinal));
    }

    [Fact]
    public void The_label_is_no_input_and_no_input_stands_twice()
    {
        Assert.Contains("is the label", Rule(p => p.Inputs[0].Name = "delay", "pipeline.inputs[0].name"));
        Assert.Contains("stands twice", Rule(p => p.Inputs[1].Name = "distance", "pipeline.inputs[1].name"));
    }

    [Fact]
    public void Columns_must_exist_with_the_right_type()
    {
        var snapshot = new DatasetSnapshot();
        foreach (var column in SyntheticRows.Table(1).Columns)
            snapshot.Schema.Add(new Field { Name = column.Name, Type = Training.Datasets.SnapshotColumn.TypeOf(column) });
        var pipeline = SyntheticRows.Pipeline();
        pipeline.TimeColumn = "hour";
        pipeline.Inputs[0].Name = "distanze";
        pipeline.Inputs[1].Kind = InputColumn.Types.Kind.Categorical;

        var violations = new Violations();
        PipelineRules.CheckColumns(pipeline, snapshot, violations);
        var found = Assert.Throws<InvalidRequestException>(() => violations.ThrowIfAny("PIPELINE_INVALID")).Violations;

        Assert.Equal(["pipeline.time_column", "pipeline.inputs[0]", "pipeline.inputs[1]"], found.Select(v => v.Field));
        Assert.Equal("'hour' must be Time, it is Double", found[0].Rule);
        Assert.StartsWith("'distanze' is no column of the dataset; it has departed_at, distance", found[1].Rule, StringComparison.Ordinal);
        Assert.Equal("'hour' must be Text, it is Double", found[2].Rule);
    }

    private static Dimension Over(string parameter, params string[] values) => new() { Parameter = parameter, Values = { values } };

    private static string Rule(Action<Pipeline> change, string field)
    {
        var pipeline = SyntheticRows.Pipeline();
        change(pipeline);
        return Check(pipeline).First(violation => violation.Field == field).Rule;
    }

    private static IReadOnlyList<FieldViolation> Check(Pipeline pipeline)
    {
        var violations = new Violations();
        PipelineRules.Check(pipeline, Trainers, violations);
        return violations.Any
            ? Assert.Throws<InvalidRequestException>(() => violations.ThrowIfAny("PIPELINE_INVALID")).Violations
            : [];
    }
}
