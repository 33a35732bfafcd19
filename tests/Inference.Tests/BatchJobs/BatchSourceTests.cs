using Grpc.Core;
using MlOps.Contracts.Inference.V1;
using MlOps.ServiceDefaults;
using MlOps.TestServers;
using Npgsql;

namespace MlOps.Inference.Tests.BatchJobs;

/// <summary>Rows from a folder and from a database, and tables as results, on a real PostgreSQL.</summary>
[Collection(nameof(InferenceFixture))]
public sealed class BatchSourceTests(InferenceFixture services, BatchSourceTests.Running running) : IClassFixture<BatchSourceTests.Running>
{
    private const string Connection = "warehouse";
    private static readonly PredictionLogging NoLog = new() { Mode = PredictionLogging.Types.Mode.None };

    private NpgsqlDataSource Warehouse => running.Warehouse.DataSource;

    [ServerFact]
    public async Task A_file_of_the_input_folder_is_scored_and_none_outside_of_it()
    {
        var client = await ClientAsync();
        await File.WriteAllTextAsync(Path.Combine(running.InputFolder, "march.csv"), "x\n1\n2\n");
        Directory.CreateSymbolicLink(Path.Combine(running.InputFolder, "door"), Path.GetTempPath());
        var outside = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():N}.csv");
        await File.WriteAllTextAsync(outside, "x\n1\n");
        try
        {
            var spec = await SpecAsync();
            spec.File = new FileInput { Path = "march.csv", Format = BatchFormat.Csv };
            Assert.Equal("row,prediction\n1,2\n2,4\n", await client.ScoreAsync(spec));
            foreach (var path in new[] { $"door/{Path.GetFileName(outside)}", outside, $"../{Path.GetFileName(outside)}", "none.csv" })
            {
                spec.File.Path = path;
                var job = await client.RunAsync(spec);
                Assert.Equal(BatchJob.Types.State.Failed, job.State);
                Assert.Contains("cannot be read", job.Failure, StringComparison.Ordinal);
            }
        }
        finally
        {
            File.Delete(outside);
        }
    }

    [ServerFact]
    public async Task A_query_s_rows_are_scored_in_its_order()
    {
        var client = await ClientAsync();
        var table = await TableAsync("select n as id, 'Ü, \"q\"' as word, n / 4.0 as x from generate_series(1, 5000) n");
        var spec = await SpecAsync();
        spec.Query = new QueryInput { Connection = Connection, Sql = $"select * from {table} order by id desc -- newest first" };
        spec.KeepColumns.Add(["id", "word"]);

        var lines = (await client.ScoreAsync(spec)).Split('\n', StringSplitOptions.RemoveEmptyEntries);

        Assert.Equal("row,id,word,prediction", lines[0]);
        Assert.Equal(5_001, lines.Length);
        for (var row = 1; row <= 5_000; row++)
        {
            var n = 5_001 - row;
            Assert.Equal(FormattableString.Invariant($"{row},{n},\"Ü, \"\"q\"\"\",{n / 2.0}"), lines[row]);
        }
    }

    [ServerFact]
    public async Task A_query_that_writes_breaks_out_or_takes_too_long_fails_its_job_and_changes_nothing()
    {
        var client = await ClientAsync();
        var table = await TableAsync("select 1 as x");
        var spec = await SpecAsync();
        foreach (var (sql, words) in new[]
        {
            ($"delete from {table} returning x", "25006"),
            ($"select 1 as x) to stdout; delete from {table}; copy (select 1 as x", "42601"),
            ($"select 1 as x; delete from {table}", "QUERY_REFUSED|42601"),
            ($"with gone as (delete from {table} returning x) select x from gone", "25006"),
            ("select pg_sleep(30)::text, 1 as x", "57014"),
            ("select nothing from nowhere", "42P01"),
        })
        {
            spec.Query = new QueryInput { Connection = Connection, Sql = sql };
            var job = await client.RunAsync(spec);
            Assert.Equal(BatchJob.Types.State.Failed, job.State);
            Assert.True(words.Split('|').Any(w => job.Failure.Contains(w, StringComparison.Ordinal)), $"{sql}: {job.Failure}");
        }

        Assert.Equal(1, await CountAsync(table));
    }

    [ServerFact]
    public async Task A_table_is_replaced_in_one_step_or_added_to_and_only_when_a_job_made_it()
    {
        var client = await ClientAsync();
        var target = $"scores_{Guid.NewGuid():N}";
        var spec = await SpecAsync();
        spec.Table = new TableOutput { Connection = Connection, Table = target };
        spec.KeepColumns.Add("id");
        spec.InputDigest = (await client.UploadAsync("id,x\na,1\n,2\n\"q\"\"\",x\n\"\",3\n")).Digest;
        spec.MaxBadShare = 0.5;
        var first = await CompleteAsync(client, spec);
        Assert.Equal(["1|a|2", "2||4", "4|''|6"], await RowsAsync(target, first.JobId));

        spec.InputDigest = (await client.UploadAsync("id,x\nb,5\n")).Digest;
        var second = await CompleteAsync(client, spec);
        Assert.Equal(["1|b|10"], await RowsAsync(target, second.JobId));
        Assert.Equal(1, await CountAsync(target));

        spec.Table.Mode = TableOutput.Types.Mode.Append;
        var third = await CompleteAsync(client, spec);
        Assert.Equal(["1|b|10"], await RowsAsync(target, third.JobId));
        Assert.Equal(2, await CountAsync(target));

        // A job that fails leaves the table and no staging behind.
        spec.InputDigest = (await client.UploadAsync($"id,x\n{string.Concat(Enumerable.Repeat("c,1\n", 3_000))}{string.Concat(Enumerable.Repeat("c,bad\n", 3_000))}")).Digest;
        spec.MaxBadShare = 0.1;
        Assert.Equal(BatchJob.Types.State.Failed, (await client.RunAsync(spec)).State);
        Assert.Equal(2, await CountAsync(target));
        await Eventually.Async(async () => await StagedAsync() == 0, TimeSpan.FromSeconds(30), "staging is dropped");

        spec.Table.Table = await TableAsync("select 1 as mine");
        spec.MaxBadShare = 1;
        var refused = await client.RunAsync(spec);
        Assert.Contains("was not made by a batch job", refused.Failure, StringComparison.Ordinal);
        Assert.Equal(1, await CountAsync(spec.Table.Table));
    }

    [ServerFact]
    public async Task A_worker_killed_amid_a_job_leaves_each_row_once_in_the_table_and_nothing_before_its_end()
    {
        await using var replicas = await BatchReplicas.StartAsync(services);
        var worker = await replicas.AddAsync(2_000, null, running.Settings);
        var client = replicas.ClientOf(worker);
        var target = $"scores_{Guid.NewGuid():N}";
        var spec = await SpecAsync();
        spec.Table = new TableOutput { Connection = Connection, Table = target };
        const int Rows = 20_000;
        spec.InputDigest = (await client.UploadAsync($"x\n{string.Concat(Enumerable.Range(1, Rows).Select(n => $"{n}\n"))}")).Digest;
        var job = await client.CreateAsync(spec);
        await Eventually.Async(async () => (await client.GetAsync(job.JobId)).PartitionsScored > 5, TimeSpan.FromSeconds(60));
        await worker.KillAsync();
        Assert.False(await ExistsAsync(target));
        await worker.StartAgainAsync();

        var ended = await client.EndAsync(job.JobId);

        Assert.True(ended.State == BatchJob.Types.State.Completed, ended.Failure);
        Assert.Equal(Rows, ended.RowsScored);
        var wrong = await Warehouse.QueryFirstOrDefaultAsync(
            $"select count(*), count(distinct row), count(*) filter (where prediction <> 2 * row) from {target}", [],
            r => Tuple.Create(r.GetInt64(0), r.GetInt64(1), r.GetInt64(2)), CancellationToken.None);
        Assert.Equal(Tuple.Create((long)Rows, (long)Rows, 0L), wrong);
    }

    [ServerFact]
    public async Task A_connection_that_may_only_be_read_takes_no_table()
    {
        var client = await ClientAsync();
        var spec = await SpecAsync();
        spec.InputDigest = (await client.UploadAsync("x\n1\n")).Digest;
        spec.Table = new TableOutput { Connection = "readonly", Table = "scores" };
        var refused = await Assert.ThrowsAsync<RpcException>(() => client.CreateAsync(spec));
        Assert.Contains("table.connection: is not configured as writable", refused.Status.Detail, StringComparison.Ordinal);
    }

    private async Task<BatchClient> ClientAsync() => new(services.Channel((await running.ReplicaAsync(services)).Grpc));

    private async Task<BatchJobSpec> SpecAsync() =>
        new() { Model = await services.NewModelAsync(Graphs.Times(2), Graphs.TimesSignature), Log = NoLog };

    private static async Task<BatchJob> CompleteAsync(BatchClient client, BatchJobSpec spec)
    {
        var job = await client.RunAsync(spec);
        Assert.True(job.State == BatchJob.Types.State.Completed, job.Failure);
        return job;
    }

    private async Task<string> TableAsync(string query)
    {
        var table = $"rows_{Guid.NewGuid():N}";
        await Warehouse.ExecuteAsync($"create table {table} as {query}", [], CancellationToken.None);
        return table;
    }

    private async Task<long> CountAsync(string table) => (await Warehouse.QueryAsync(
        $"select count(*) from {table}", [], r => r.GetInt64(0), CancellationToken.None))[0];

    private async Task<long> StagedAsync() => (await Warehouse.QueryAsync(
        "select count(*) from pg_tables where tablename like 'mlops_batch_%'", [], r => r.GetInt64(0), CancellationToken.None))[0];

    private async Task<bool> ExistsAsync(string table) => (await Warehouse.QueryAsync(
        "select to_regclass($1) is not null", [table], r => r.GetBoolean(0), CancellationToken.None))[0];

    private Task<List<string>> RowsAsync(string table, string job) => Warehouse.QueryAsync(
        $"select row, case when id is null then '' when id = '' then '''''' else id end, prediction from {table} where job_id = $1 order by row",
        [Guid.Parse(job)],
        r => FormattableString.Invariant($"{r.GetInt64(0)}|{r.GetString(1)}|{r.GetFloat(2)}"), CancellationToken.None);

    /// <summary>One replica with a database of users' own beside its own.</summary>
    public sealed class Running : IAsyncLifetime
    {
        private BatchReplicas? _replicas;
        private ServiceProcess? _replica;

        public string InputFolder { get; } = Directory.CreateTempSubdirectory("mlops-input-").FullName;

        internal PostgresDatabase<Running> Warehouse { get; } = new();

        internal (string, string)[] Settings =>
        [
            ("Inference__Batch__InputFolder", InputFolder),
            ("Inference__Batch__Connections__warehouse__ConnectionString", Warehouse.ConnectionString),
            ("Inference__Batch__Connections__warehouse__Writable", "true"),
            ("Inference__Batch__Connections__warehouse__QueryTimeout", "00:00:02"),
            ("Inference__Batch__Connections__readonly__ConnectionString", Warehouse.ConnectionString),
        ];

        internal async Task<ServiceProcess> ReplicaAsync(InferenceFixture services)
        {
            _replicas ??= await BatchReplicas.StartAsync(services);
            return _replica ??= await _replicas.AddAsync(16_000, null, Settings);
        }

        public Task InitializeAsync() => Warehouse.InitializeAsync();

        public async Task DisposeAsync()
        {
            if (_replicas is not null) await _replicas.DisposeAsync();
            await Warehouse.DisposeAsync();
            Directory.Delete(InputFolder, recursive: true);
        }
    }
}
