using System.Globalization;
using System.Text;
using Google.Protobuf;
using MlOps.Contracts.Tables.V1;
using MlOps.Inference.Predictions;
using MlOps.Inference.Protocol;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Tests;

public sealed class RowLimitsTests
{
    [Fact]
    public void A_name_of_its_own_in_every_row_is_refused_before_it_becomes_a_column()
    {
        var refused = Assert.Throws<InvalidRequestException>(
            () => RowsJson.Read(Body(5_000, row => $$"""{"a{{row}}":1}""")));

        Assert.Equal("ROWS_INVALID", refused.Code);
    }

    [Fact]
    public void A_row_of_too_many_columns_is_refused()
    {
        var wide = string.Join(',', Enumerable.Range(0, 1_001).Select(i => $"\"a{i}\":1"));

        var refused = Assert.Throws<InvalidRequestException>(() => RowsJson.Read(Body(1, _ => $"{{{wide}}}")));

        Assert.Equal("ROWS_INVALID", refused.Code);
        Assert.Contains("at most 1000 columns", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Short_rows_of_a_wide_table_are_refused_when_their_cells_are_too_many()
    {
        var wide = "{" + string.Join(',', Enumerable.Range(0, 1_000).Select(i => $"\"a{i}\":1")) + "}";

        Assert.Equal(1_000, RowsJson.Read(Body(1_000, row => row == 0 ? wide : "{}")).Rows.Columns.Count);
        foreach (var at in (int[])[0, 1_000])
        {
            var refused = Assert.Throws<InvalidRequestException>(() => RowsJson.Read(Body(1_001, row => row == at ? wide : "{}")));
            Assert.Equal("ROWS_INVALID", refused.Code);
            Assert.Contains("at most 1000000 values", refused.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Rows_may_name_their_columns_in_any_order_and_leave_some_out()
    {
        var rows = RowsJson.Read("""{"rows":[{"a":1,"b":"x","c":true},{"c":false,"a":2},{"b":"y"}]}"""u8).Rows;

        Assert.Equal(["a", "b", "c"], rows.Columns.Select(c => c.Name));
        Assert.Equal([1, 2, 0], rows.Columns[0].Integers.Values);
        Assert.Equal(["x", "", "y"], rows.Columns[1].Texts.Values);
        Assert.Equal([true, false, false], rows.Columns[2].Booleans.Values);
        Assert.Equal([0b100, 0b010, 0b100], rows.Columns.Select(c => (int)c.Missing[0]));
    }

    [Fact]
    public void A_table_of_too_many_columns_is_refused_with_one_rule()
    {
        var refused = Refusal(50_000, _ => new Column { Integers = new IntegerValues { Values = { 1 } } });

        Assert.Equal(["must have at most 1000 columns, not 50000"], refused.Violations.Select(v => v.Rule));
    }

    [Fact]
    public void A_table_of_too_many_cells_is_refused()
    {
        var values = new DoubleValues { Values = { new double[100_001] } };
        var refused = Refusal(10, i => new Column { Name = $"c{i}", Doubles = values });

        Assert.Equal(["must have at most 1000000 values, columns times rows"], refused.Violations.Select(v => v.Rule));
    }

    [Fact]
    public void Of_many_broken_columns_some_are_named_and_shortly()
    {
        var name = new string('n', 10_000);
        var refused = Refusal(1_000, _ => new Column { Name = name, Integers = new IntegerValues { Values = { 1 } } });

        Assert.Equal(21, refused.Violations.Count);
        Assert.Equal("has more columns that break a rule", refused.Violations[^1].Rule);
        Assert.True(refused.Message.Length < 4_000, $"{refused.Message.Length} characters");
    }

    [Fact]
    public void Every_rule_of_a_column_is_still_told()
    {
        var one = new IntegerValues { Values = { 1, 2 } };
        Column[] columns =
        [
            new() { Name = "a", Integers = one }, new() { Integers = one }, new() { Name = "a", Integers = one },
            new() { Name = "short", Integers = new IntegerValues { Values = { 1 } } },
            new() { Name = "whole", Integers = one, Missing = ByteString.CopyFrom(0) },
        ];

        var refused = Refusal(columns.Length, i => columns[i]);

        Assert.Equal(["rows", "a", "short"], refused.Violations.Select(v => v.Field));
    }

    private static InvalidRequestException Refusal(int columns, Func<int, Column> make)
    {
        var table = new Table { Columns = { Enumerable.Range(0, columns).Select(make) } };
        var refused = Assert.Throws<InvalidRequestException>(() => PredictRows.CountRows(table));
        Assert.Equal("ROWS_INVALID", refused.Code);
        return refused;
    }

    private static byte[] Body(int rows, Func<int, string> row) => Encoding.UTF8.GetBytes(string.Create(
        CultureInfo.InvariantCulture, $$"""{"rows":[{{string.Join(',', Enumerable.Range(0, rows).Select(row))}}]}"""));
}
