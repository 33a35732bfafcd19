using Google.Protobuf;
using MlOps.Contracts.Tables.V1;
using MlOps.Contracts.Training.V1;
using MlOps.Numerics.Onnx;
using MlOps.Training.Datasets;

namespace MlOps.Training.Tests.Datasets;

public sealed class PrepareDatasetTests
{
    [Fact]
    public void Parts_follow_each_other_in_time_and_have_the_wanted_sizes()
    {
        var pipeline = SyntheticRows.Pipeline();
        var snapshot = Snapshot.Of([SyntheticRows.Table(600), SyntheticRows.Table(400, seed: 8)], pipeline);
        var prepared = PrepareDataset.Of(snapshot, pipeline, isComplete: false);

        Assert.Equal(1000, snapshot.Rows);
        Assert.Equal(1000, prepared.Train.Rows + prepared.Validation.Rows + prepared.Test.Rows);
        Assert.InRange(prepared.Train.Rows, 595, 605);
        Assert.InRange(prepared.Test.Rows, 195, 205);
        var byTime = snapshot.Time.Times.Zip(snapshot.Label.Numbers).OrderBy(row => row.First).Select(row => (float)row.Second).ToArray();
        Assert.Equal(byTime, prepared.Train.Labels.Concat(prepared.Validation.Labels).Concat(prepared.Test.Labels));
    }

    [Fact]
    public void Categories_are_those_of_the_training_part_in_order()
    {
        var prepared = Prepare(SyntheticRows.Table(500), SyntheticRows.Pipeline());
        Assert.Equal(["AA", "DL", "UA", "WN"], Assert.IsType<CategoricalInput>(prepared.Inputs[3]).Categories);
        Assert.Equal(7, prepared.Train.Columns);
    }

    [Fact]
    public void Complete_inputs_are_imputed_and_scaled_by_the_training_part()
    {
        var prepared = Prepare(SyntheticRows.Table(500), SyntheticRows.Pipeline(), isComplete: true);

        Assert.DoesNotContain(prepared.Train.Values, float.IsNaN);
        Assert.DoesNotContain(prepared.Test.Values, float.IsNaN);
        var distance = Enumerable.Range(0, prepared.Train.Rows).Average(row => prepared.Train.Row(row)[0]);
        Assert.Equal(0, distance, 4);
    }

    [Fact]
    public void Missing_values_where_none_may_be_are_named_all_at_once()
    {
        var pipeline = SyntheticRows.Pipeline();
        foreach (var input in pipeline.Inputs) input.Nullable = false;
        var table = SyntheticRows.Table(100);
        Column(table, "hour").Doubles.Values[3] = double.NaN;
        Column(table, "airline").Missing = ByteString.CopyFrom(0b101);
        Column(table, SyntheticRows.Label).Doubles.Values[0] = double.NaN;

        var refused = Assert.Throws<DatasetException>(() => Snapshot.Of([table], pipeline));

        Assert.StartsWith("DATASET_INVALID", refused.Message, StringComparison.Ordinal);
        Assert.Contains("'hour' has no value in", refused.Message);
        Assert.Contains("'airline' has no value in 2 rows", refused.Message);
        Assert.Contains("'delay' has no value in 1 rows", refused.Message);
    }

    [Fact]
    public void An_infinite_value_is_refused()
    {
        var table = SyntheticRows.Table(100);
        Column(table, "distance").Doubles.Values[5] = 1e300;
        var refused = Assert.Throws<DatasetException>(() => Snapshot.Of([table], SyntheticRows.Pipeline()));
        Assert.Contains("'distance' holds values beyond the range of float32", refused.Message);
    }

    [Fact]
    public void Too_few_rows_for_three_parts_are_refused()
    {
        var refused = Assert.Throws<DatasetException>(() => Prepare(SyntheticRows.Table(2), SyntheticRows.Pipeline()));
        Assert.Contains("each part needs at least one", refused.Message);
    }

    private static PreparedDataset Prepare(Table table, Pipeline pipeline, bool isComplete = false) =>
        PrepareDataset.Of(Snapshot.Of([table], pipeline), pipeline, isComplete);

    private static Column Column(Table table, string name) => table.Columns.Single(column => column.Name == name);
}
