using System.Security.Cryptography;
using System.Text;
using MlOps.Contracts.Tables.V1;

namespace MlOps.FeatureStore.Definitions;

/// <summary>Names and shape of a view's tables; every name that comes from a definition is quoted here and nowhere else.</summary>
/// <remarks>
/// Columns of our own start with an underscore, which no defined column may. The unique index
/// (keys, event time, known-at time, digest), read backwards, is also the one that finds the newest row of a key: what is
/// left to sort by the time of ingestion are rows of one key and equal times.
/// </remarks>
internal static class ViewTables
{
    private const int LongestIdentifier = 63;

    /// <summary>The ingested rows.</summary>
    public static string Rows(this ViewDefinition view) => Quote(Shortened("fv_" + view.Name));

    /// <summary>The rows that joins read: the ingested ones, or the change points of the aggregates.</summary>
    public static string History(this ViewDefinition view) =>
        view.IsAggregated ? Quote(Shortened("fa_" + view.Name)) : view.Rows();

    public static string Keys(this ViewDefinition view, string prefix = "") =>
        string.Join(", ", view.JoinKeys.Select(key => prefix + Quote(key)));

    /// <summary>All columns of the ingested rows, in the order of the binary copy.</summary>
    public static string RowColumns(this ViewDefinition view) =>
        string.Join(", ", [view.Keys(), "_event_time", "_known_at", .. view.Columns.Select(field => Quote(field.Name)), "_digest"]);

    /// <summary>All columns of the change points, in the order of the binary copy.</summary>
    public static string HistoryColumns(this ViewDefinition view) =>
        string.Join(", ", [view.Keys(), "_event_time", "_known_at", .. view.Features.Select(field => Quote(field.Name)), "_digest"]);

    /// <summary>
    /// The total order of a key's rows; the last of those allowed at a time is the value at that time. Of rows with equal
    /// times the one ingested last wins, so that a value is corrected by ingesting the right one; the digest decides
    /// between rows of one ingest.
    /// </summary>
    public static string Order(string prefix = "", string direction = "") =>
        $"{prefix}_event_time {direction}, {prefix}_known_at {direction}, {prefix}_ingested_at {direction}, {prefix}_digest {direction}";

    public static string CreateSql(ViewDefinition view)
    {
        var sql = CreateSql(view, view.Rows(), view.Columns);
        return view.IsAggregated ? sql + CreateSql(view, view.History(), view.Features) : sql;
    }

    public static string DropSql(ViewDefinition view) => $"drop table if exists {view.Rows()}, {view.History()};";

    public static string Quote(string identifier) => '"' + identifier.Replace("\"", "\"\"", StringComparison.Ordinal) + '"';

    private static string CreateSql(ViewDefinition view, string table, IReadOnlyList<Field> fields)
    {
        var sql = new StringBuilder($"create table {table} (");
        foreach (var key in view.JoinKeys)
            sql.Append(null, $"{Quote(key)} text collate \"C\" not null, ");
        sql.Append("_event_time timestamptz not null, _known_at timestamptz not null, ");
        foreach (var field in fields)
            sql.Append(null, $"{Quote(field.Name)} {SqlType(field.Type)}, ");
        sql.Append("_ingested_at timestamptz not null default now(), ");
        sql.Append(null, $"_digest bytea not null, unique ({view.Keys()}, _event_time, _known_at, _digest));\n");
        return sql.ToString();
    }

    private static string SqlType(ColumnType type) => type switch
    {
        ColumnType.Double => "double precision",
        ColumnType.Integer => "bigint",
        ColumnType.Text => "text",
        ColumnType.Boolean => "boolean",
        ColumnType.Time => "timestamptz",
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "No such column type."),
    };

    // PostgreSQL cuts long identifiers silently, so that two views could share a table: cut them apart ourselves.
    private static string Shortened(string name)
    {
        if (name.Length <= LongestIdentifier)
            return name;
        var digest = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(name)).AsSpan(0, 6));
        return $"{name[..(LongestIdentifier - digest.Length - 1)]}_{digest}";
    }
}
