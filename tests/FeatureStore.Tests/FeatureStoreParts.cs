using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Tables.V1;
using MlOps.FeatureStore.Definitions;
using MlOps.FeatureStore.Ingestion;
using MlOps.FeatureStore.Offline;
using MlOps.FeatureStore.Online;
using MlOps.ServiceDefaults;
using MlOps.TestServers;
using Npgsql;
using StackExchange.Redis;

namespace MlOps.FeatureStore.Tests;

/// <summary>The service's slices on a database and a Redis of the test class's own, with a clock that tests move.</summary>
public sealed class FeatureStoreParts<TTest> : IAsyncLifetime
{
    private readonly PostgresDatabase<TTest> _postgres = new();
    private readonly RedisDatabase<TTest> _redis = new();
    private readonly IOptions<OnlineOptions> _options = Options.Create(new OnlineOptions { Timeout = TimeSpan.FromSeconds(10) });
    private ConnectionMultiplexer? _multiplexer;
    private DefinitionCatalog? _catalog;

    public string Folder { get; } = Directory.CreateTempSubdirectory("mlops-features-").FullName;

    public ManualTimeProvider Clock { get; } = new(new DateTimeOffset(2001, 6, 1, 0, 0, 0, TimeSpan.Zero));

    public NpgsqlDataSource Database => _postgres.DataSource;

    public IDatabase Redis => _redis.Database;

    internal DefinitionCatalog Catalog => _catalog ??= new(Database);

    internal ApplyDefinitions Apply => new(Database, Catalog, Clock, NullLogger<ApplyDefinitions>.Instance);

    internal IngestRows Ingest => new(Database, Clock, NullLogger<IngestRows>.Instance);

    internal Quarantine Quarantine => new(Database, Catalog);

    internal SnapshotFolder SnapshotFolder => new(Options.Create(new StorageOptions { Folder = Folder }), Clock);

    internal Snapshots Snapshots => new(Database, SnapshotFolder);

    internal JoinHistoricalFeatures Join => new(Database, Catalog);

    internal CreateSnapshot CreateSnapshot =>
        new(Join, Snapshots, SnapshotFolder, Clock, NullLogger<CreateSnapshot>.Instance);

    internal OnlineStore OnlineStore => new(_multiplexer!, _options); // InitializeAsync connected

    internal MaterializeViews Materialize => new(
        Database, Catalog, OnlineStore, new(_options), new Outbox(Clock), Clock, _options, NullLogger<MaterializeViews>.Instance);

    internal ReadOnlineFeatures ReadOnline => new(Catalog, OnlineStore, new(_options), Clock, _options);

    /// <summary>A read by a clock that shows this time.</summary>
    internal ReadOnlineFeatures ReadOnlineAt(long micros) =>
        new(Catalog, OnlineStore, new(_options), new ManualTimeProvider(DateTimeOffset.UnixEpoch.AddMicroseconds(micros)), _options);

    public async Task InitializeAsync()
    {
        await _postgres.InitializeAsync();
        await _redis.InitializeAsync();
        if (!Servers.AreThere)
            return;
        _multiplexer = await ConnectionMultiplexer.ConnectAsync(_redis.ConnectionString);
        foreach (var assembly in new[] { typeof(Outbox).Assembly, typeof(ApplyDefinitions).Assembly })
            foreach (var name in assembly.GetManifestResourceNames().Where(name => name.EndsWith(".sql", StringComparison.Ordinal)).Order())
            {
                using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!); // it was just listed
                await Database.ExecuteAsync(await reader.ReadToEndAsync(), [], CancellationToken.None);
            }
    }

    public async Task DisposeAsync()
    {
        _catalog?.Dispose();
        if (_multiplexer is not null)
            await _multiplexer.CloseAsync();
        await _redis.DisposeAsync();
        await _postgres.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }

    public Task<ApplyResponse> ApplyAsync(params object[] definitions) => Apply.ExecuteAsync(Define.Request(definitions), default);

    public Task<IngestResponse> IngestCsvAsync(string view, string csv, string source = "test.csv", int chunk = 7) =>
        Ingest.ExecuteAsync(Parts.Csv(view, source, csv, chunk), default);

    public Task<IngestResponse> IngestAsync(string view, params Table[] tables) =>
        Ingest.ExecuteAsync(Parts.Tables(view, "test", tables), default);

    public Task<MaterializeResponse> MaterializeAsync(string view, long asOf = 0, bool replaceNewer = false) =>
        Materialize.ExecuteAsync(new() { FeatureViews = { view }, AsOfMicros = asOf, ReplaceNewer = replaceNewer }, default);

    public Task<GetOnlineFeaturesResponse> ReadAsync(Table entities, params FeatureSelection[] selections) =>
        ReadOnline.ExecuteAsync(new() { Entities = entities, Selections = { selections } }, default);

    public async Task<List<Table>> JoinAsync(IEnumerable<Table> rows, params FeatureSelection[] selections)
    {
        var answers = new List<Table>();
        var header = new HistoricalHeader { EventTimeColumn = "at", Selections = { selections } };
        await foreach (var table in Join.ExecuteAsync(header, Parts.Stream(rows), default))
            answers.Add(table);
        return answers;
    }

    public Task<DatasetSnapshot> SnapshotAsync(string name, IEnumerable<Table> rows, params FeatureSelection[] selections) =>
        CreateSnapshot.ExecuteAsync(
            new() { Name = name, Join = new() { EventTimeColumn = "at", Selections = { selections } } }, Parts.Stream(rows), default);

    public async Task<List<Table>> ReadSnapshotAsync(string digest)
    {
        var tables = new List<Table>();
        await Snapshots.ReadAsync(
            digest,
            table =>
            {
                tables.Add(table);
                return Task.CompletedTask;
            },
            default);
        return tables;
    }
}
