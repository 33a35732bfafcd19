using MlOps.Contracts.Tables.V1;
using Npgsql;

namespace MlOps.FeatureStore.Tables;

/// <summary>Reads typed values of a result row into columns.</summary>
internal static class ReaderColumns
{
    public static void AddFrom(this ColumnBuffer column, NpgsqlDataReader row, int field)
    {
        if (row.IsDBNull(field))
        {
            column.AddMissing();
            return;
        }

        switch (column.Type)
        {
            case ColumnType.Double:
                column.AddDouble(row.GetDouble(field));
                break;
            case ColumnType.Integer:
                column.AddBits(row.GetInt64(field));
                break;
            case ColumnType.Boolean:
                column.AddBits(row.GetBoolean(field) ? 1 : 0);
                break;
            case ColumnType.Time:
                column.AddBits(Micros.From(row.GetDateTime(field)));
                break;
            default:
                column.AddText(row.GetString(field));
                break;
        }
    }
}
