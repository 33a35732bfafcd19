using System.Diagnostics;
using MlOps.Benchmarks.Peers;
using Npgsql;

namespace MlOps.Benchmarks.Serving;

/// <summary>
/// A PostgreSQL for databases of the benchmark, which go with it: the one of MLOPS_TEST_POSTGRES, as the tests have it, else one of
/// the benchmark's own.
/// </summary>
internal sealed class Postgres : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly PeerProcess? _process;
    private readonly string _address;
    private readonly List<string> _databases = [];

    private Postgres(PeerProcess? process, string address) => (_process, _address) = (process, address);

    public static async Task<Postgres> StartAsync(string folder, CancellationToken ct)
    {
        if (Environment.GetEnvironmentVariable("MLOPS_TEST_POSTGRES") is { Length: > 0 } given) return new Postgres(null, given);
        var (port, password) = (PeerProcess.FreePort(), Guid.NewGuid().ToString("N"));
        var start = new ProcessStartInfo(Path.Combine(Repository.Root, "eng/servers/postgres.sh"), [Path.Combine(folder, "postgres"), $"{port}"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["MLOPS_POSTGRES_PASSWORD"] = password;
        var process = await PeerProcess.StartAsync(start, port, ct);
        var server = new Postgres(process, $"Host=127.0.0.1;Port={port};Username=mlops;Password={password};Database=postgres");
        for (var since = Stopwatch.StartNew(); ; await Task.Delay(100, ct))
        {
            try
            {
                await server.ExecuteAsync("select 1", ct);
                return server;
            }
            catch (NpgsqlException) when (since.Elapsed < Patience)
            {
                // It listens before it is ready.
            }
        }
    }

    /// <summary>Connection string of a database that the service makes itself when it first connects.</summary>
    public string NewDatabase()
    {
        var name = $"bench_{Guid.NewGuid():N}";
        _databases.Add(name);
        return new NpgsqlConnectionStringBuilder(_address) { Database = name }.ConnectionString;
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            _process.Dispose();
            return;
        }

        foreach (var name in _databases) await ExecuteAsync($"drop database if exists {name} with (force)", CancellationToken.None);
    }

    private async Task ExecuteAsync(string sql, CancellationToken ct)
    {
        await using var source = NpgsqlDataSource.Create(_address);
        await using var command = source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(ct);
    }
}
