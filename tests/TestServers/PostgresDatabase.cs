using Npgsql;
using Xunit;

namespace MlOps.TestServers;

/// <summary>
/// An empty database of a test class's own, dropped at the end: <c>IClassFixture&lt;PostgresDatabase&lt;DriftTests&gt;&gt;</c>.
/// Without servers it does nothing, so that the class can skip its tests.
/// </summary>
public sealed class PostgresDatabase<TTest> : IAsyncLifetime
{
    private NpgsqlDataSource? _dataSource;

    public string Name { get; } = UniqueName.For(typeof(TTest));

    public string ConnectionString => new NpgsqlConnectionStringBuilder(Servers.Postgres)
    {
        Database = Name,
        MaxPoolSize = 20,
        IncludeErrorDetail = true,
    }.ConnectionString;

    public NpgsqlDataSource DataSource => _dataSource ??= NpgsqlDataSource.Create(ConnectionString);

    public async Task InitializeAsync()
    {
        if (Servers.AreThere)
            await ExecuteAsync($"""create database "{Name}" """);
    }

    public async Task DisposeAsync()
    {
        if (_dataSource is not null)
            await _dataSource.DisposeAsync();
        if (Servers.AreThere)
            await ExecuteAsync($"""drop database if exists "{Name}" with (force)""");
    }

    private static async Task ExecuteAsync(string sql)
    {
        // Not pooled: an idle connection per fixture would soon use up the server's.
        var connectionString = new NpgsqlConnectionStringBuilder(Servers.Postgres) { Pooling = false };
        connectionString.Database ??= "postgres";
        await using var connection = new NpgsqlConnection(connectionString.ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }
}
