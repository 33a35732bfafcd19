using MlOps.Contracts.Tables.V1;
using MlOps.Contracts.Training.V1;

namespace MlOps.Training.Datasets;

/// <summary>The columns of a snapshot that a pipeline uses, in memory and checked.</summary>
internal sealed record Snapshot(SnapshotColumn Label, SnapshotColumn Time, IReadOnlyList<SnapshotColumn> Inputs, int Rows)
{
    /// <exception cref="DatasetException">A column is absent or of another type, or a value is missing or infinite where it must not be.</exception>
    internal static Snapshot Of(IReadOnlyList<Table> tables, Pipeline pipeline)
    {
        var rows = tables.Sum(CountOf);
        var columns = new Dictionary<string, SnapshotColumn>();
        foreach (var name in pipeline.Inputs.Select(input => input.Name).Append(pipeline.LabelColumn).Append(pipeline.TimeColumn).Distinct())
            columns[name] = Gather(tables, name, rows);

        var problems = new List<string>();
        foreach (var input in pipeline.Inputs) problems.AddRange(Check(columns[input.Name], input.Nullable));
        problems.AddRange(Check(columns[pipeline.LabelColumn], isNullable: false));
        problems.AddRange(Check(columns[pipeline.TimeColumn], isNullable: false));
        if (problems.Count > 0) throw new DatasetException($"DATASET_INVALID: {string.Join("; ", problems.Distinct())}");
        return new Snapshot(
            columns[pipeline.LabelColumn], columns[pipeline.TimeColumn],
            [.. pipeline.Inputs.Select(input => columns[input.Name])], rows);
    }

    private static SnapshotColumn Gather(IReadOnlyList<Table> tables, string name, int rows)
    {
        SnapshotColumn? gathered = null;
        var type = ColumnType.Unspecified;
        foreach (var table in tables)
        {
            var column = table.Columns.FirstOrDefault(candidate => candidate.Name == name)
                ?? throw new DatasetException($"DATASET_INVALID: column '{name}' is not in the snapshot");
            if (gathered is null) gathered = new SnapshotColumn(name, type = SnapshotColumn.TypeOf(column), rows);
            else if (SnapshotColumn.TypeOf(column) != type)
                throw new DatasetException($"DATASET_INVALID: column '{name}' changes its type within the snapshot");
            gathered.Append(column, CountOf(table));
        }
        return gathered ?? throw new DatasetException("DATASET_INVALID: the snapshot has no rows");
    }

    private static IEnumerable<string> Check(SnapshotColumn column, bool isNullable)
    {
        if (column.Missing > 0 && !isNullable)
            yield return $"column '{column.Name}' has no value in {column.Missing} rows and is not nullable";
        if (Array.Exists(column.Numbers, value => float.IsInfinity((float)value)))
            yield return $"column '{column.Name}' holds values beyond the range of float32";
    }

    private static int CountOf(Table table) => table.Columns.Count == 0 ? 0 : table.Columns[0] switch
    {
        { Doubles: { } values } => values.Values.Count,
        { Integers: { } values } => values.Values.Count,
        { Texts: { } values } => values.Values.Count,
        { Booleans: { } values } => values.Values.Count,
        { Times: { } values } => values.Values.Count,
        _ => 0,
    };
}
