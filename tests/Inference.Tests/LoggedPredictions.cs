using System.Collections.Concurrent;
using System.IO.Compression;
using MassTransit;
using MlOps.Contracts.Events;
using MlOps.Contracts.Monitoring.V1;
using MlOps.TestServers;

namespace MlOps.Inference.Tests;

/// <summary>The prediction log as its consumer sees it: batches by id, a repeated one counted once if it says the same.</summary>
internal sealed class LoggedPredictions(IBusControl bus) : IAsyncDisposable
{
    private readonly ConcurrentDictionary<Guid, byte[]> _batches = [];

    /// <summary>A batch id came twice with different records.</summary>
    public bool HasContradiction { get; private set; }

    public IReadOnlyList<PredictionRecord> Records =>
        [.. _batches.Values.SelectMany(batch => PredictionBatch.Parser.ParseFrom(batch).Records)];

    /// <summary>Ids of all records, one for each time it is in the log.</summary>
    public IReadOnlyList<string> Ids => [.. Records.Select(r => Convert.ToHexStringLower(r.PredictionId.Span))];

    /// <param name="prefix">Of the bus.</param>
    /// <param name="broker">One that may die, so that its queue must not; null: the shared one.</param>
    public static async Task<LoggedPredictions> ListenAsync(string prefix, string? broker = null)
    {
        LoggedPredictions? log = null;
        var bus = Bus.Factory.CreateUsingRabbitMq(rabbit =>
        {
            rabbit.Host(new Uri(broker ?? Servers.RabbitMq));
            rabbit.MessageTopology.SetEntityNameFormatter(
                new PrefixEntityNameFormatter(rabbit.MessageTopology.EntityNameFormatter, prefix));
            rabbit.ReceiveEndpoint($"{prefix}log-{Guid.NewGuid():N}", endpoint =>
            {
                endpoint.AutoDelete = broker is null;
                endpoint.Durable = broker is not null;
                endpoint.Handler<PredictionsLogged>(context =>
                {
                    // Set before the bus starts.
                    log!.Take(context.Message);
                    return Task.CompletedTask;
                });
            });
        });
        log = new LoggedPredictions(bus);
        await bus.StartAsync(TimeSpan.FromSeconds(30));
        return log;
    }

    public async ValueTask DisposeAsync() => await bus.StopAsync(TimeSpan.FromSeconds(30));

    private void Take(PredictionsLogged logged)
    {
        Assert.Equal("br", logged.Encoding);
        using var plain = new MemoryStream();
        using (var from = new BrotliStream(new MemoryStream(logged.Records.ToArray()), CompressionMode.Decompress)) from.CopyTo(plain);
        var records = plain.ToArray();
        if (!_batches.GetOrAdd(logged.BatchId, records).SequenceEqual(records)) HasContradiction = true;
    }
}
