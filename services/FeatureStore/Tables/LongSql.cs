using Npgsql;

namespace MlOps.FeatureStore.Tables;

/// <summary>Commands over whole tables: they end when they are done or cancelled, not after the usual 30 seconds.</summary>
internal static class LongSql
{
    public static NpgsqlCommand Command(NpgsqlConnection connection, string sql, params ReadOnlySpan<object> parameters)
    {
        var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        foreach (var parameter in parameters)
            command.Parameters.Add(new() { Value = parameter });
        return command;
    }
}
