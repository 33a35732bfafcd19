using Npgsql;

namespace MlOps.ServiceDefaults;

/// <summary>SQL text, positional parameters and a row mapper: the one way services speak to PostgreSQL.</summary>
public static class Sql
{
    public static async Task<List<T>> QueryAsync<T>(
        this NpgsqlDataSource source, string sql, object?[] parameters, Func<NpgsqlDataReader, T> map, CancellationToken ct)
    {
        await using var command = With(source.CreateCommand(sql), parameters);
        return await ReadAsync(command, map, ct);
    }

    public static async Task<List<T>> QueryAsync<T>(
        this NpgsqlConnection connection, string sql, object?[] parameters, Func<NpgsqlDataReader, T> map, CancellationToken ct)
    {
        await using var command = With(new NpgsqlCommand(sql, connection), parameters);
        return await ReadAsync(command, map, ct);
    }

    public static async Task<List<T>> QueryAsync<T>(
        this NpgsqlTransaction transaction, string sql, object?[] parameters, Func<NpgsqlDataReader, T> map, CancellationToken ct)
    {
        await using var command = With(new NpgsqlCommand(sql, transaction.Connection, transaction), parameters);
        return await ReadAsync(command, map, ct);
    }

    public static async Task<T?> QueryFirstOrDefaultAsync<T>(
        this NpgsqlDataSource source, string sql, object?[] parameters, Func<NpgsqlDataReader, T> map, CancellationToken ct)
    {
        await using var command = With(source.CreateCommand(sql), parameters);
        return await ReadFirstAsync(command, map, ct);
    }

    public static async Task<T?> QueryFirstOrDefaultAsync<T>(
        this NpgsqlConnection connection, string sql, object?[] parameters, Func<NpgsqlDataReader, T> map, CancellationToken ct)
    {
        await using var command = With(new NpgsqlCommand(sql, connection), parameters);
        return await ReadFirstAsync(command, map, ct);
    }

    public static async Task<T?> QueryFirstOrDefaultAsync<T>(
        this NpgsqlTransaction transaction, string sql, object?[] parameters, Func<NpgsqlDataReader, T> map, CancellationToken ct)
    {
        await using var command = With(new NpgsqlCommand(sql, transaction.Connection, transaction), parameters);
        return await ReadFirstAsync(command, map, ct);
    }

    /// <summary>Runs a statement and answers how many rows it touched.</summary>
    public static async Task<int> ExecuteAsync(
        this NpgsqlDataSource source, string sql, object?[] parameters, CancellationToken ct)
    {
        await using var command = With(source.CreateCommand(sql), parameters);
        return await command.ExecuteNonQueryAsync(ct);
    }

    /// <inheritdoc cref="ExecuteAsync(NpgsqlDataSource, string, object?[], CancellationToken)"/>
    public static async Task<int> ExecuteAsync(
        this NpgsqlConnection connection, string sql, object?[] parameters, CancellationToken ct)
    {
        await using var command = With(new NpgsqlCommand(sql, connection), parameters);
        return await command.ExecuteNonQueryAsync(ct);
    }

    /// <inheritdoc cref="ExecuteAsync(NpgsqlDataSource, string, object?[], CancellationToken)"/>
    public static async Task<int> ExecuteAsync(
        this NpgsqlTransaction transaction, string sql, object?[] parameters, CancellationToken ct)
    {
        await using var command = With(new NpgsqlCommand(sql, transaction.Connection, transaction), parameters);
        return await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Runs <paramref name="work"/> in a transaction: commits when it returns, rolls back when it throws.</summary>
    public static async Task<T> InTransactionAsync<T>(
        this NpgsqlDataSource source, Func<NpgsqlTransaction, Task<T>> work, CancellationToken ct)
    {
        await using var connection = await source.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        var result = await work(transaction);
        await transaction.CommitAsync(ct);
        return result;
    }

    /// <inheritdoc cref="InTransactionAsync{T}"/>
    public static Task InTransactionAsync(
        this NpgsqlDataSource source, Func<NpgsqlTransaction, Task> work, CancellationToken ct) =>
        source.InTransactionAsync(
            async transaction =>
            {
                await work(transaction);
                return true;
            },
            ct);

    private static NpgsqlCommand With(NpgsqlCommand command, object?[] parameters)
    {
        foreach (var value in parameters)
        {
            command.Parameters.Add(value as NpgsqlParameter ?? new NpgsqlParameter { Value = value ?? DBNull.Value });
        }

        return command;
    }

    private static async Task<List<T>> ReadAsync<T>(
        NpgsqlCommand command, Func<NpgsqlDataReader, T> map, CancellationToken ct)
    {
        var rows = new List<T>();
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct)) rows.Add(map(reader));
        return rows;
    }

    private static async Task<T?> ReadFirstAsync<T>(
        NpgsqlCommand command, Func<NpgsqlDataReader, T> map, CancellationToken ct)
    {
        await using var reader = await command.ExecuteReaderAsync(ct);
        return await reader.ReadAsync(ct) ? map(reader) : default;
    }
}
