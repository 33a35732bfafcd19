using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Grpc.Core;
using MlOps.Contracts.OpenInference;
using MlOps.Contracts.Registry.V1;
using MlOps.TestServers;

namespace MlOps.Gateway.Tests.Resilience;

/// <summary>Two replicas of Inference, of which one fails in one way or another.</summary>
public sealed class ReplicaFailureTests(Platform<ReplicaFailureTests> platform) : IClassFixture<Platform<ReplicaFailureTests>>
{
    [ServerFact]
    public async Task A_replica_killed_under_traffic_fails_no_prediction_and_serves_again_when_it_is_back()
    {
        await using var second = new InferencePeer();
        await second.StartAsync();
        await using var gateway = await platform.StartReplicaAsync(
            $"--services:inference:http:1=http://127.0.0.1:{second.HttpPort}", $"--services:inference:grpc:1=http://127.0.0.1:{second.GrpcPort}");
        var client = new GRPCInferenceService.GRPCInferenceServiceClient(gateway.Channel);
        var failures = new ConcurrentQueue<string>();
        using var stop = new CancellationTokenSource();
        var answered = 0;
        var traffic = Enumerable.Range(0, 16).Select(async i =>
        {
            while (!stop.IsCancellationRequested)
            {
                try
                {
                    if (i % 2 == 0)
                    {
                        await client.ModelInferAsync(new ModelInferRequest { ModelName = "m" }, deadline: Samples.Soon);
                    }
                    else
                    {
                        using var answer = await gateway.Rest.PostAsync("/v2/models/m/infer", new ByteArrayContent(new byte[500]));
                        if (!answer.IsSuccessStatusCode) failures.Enqueue($"{answer.StatusCode} {await answer.Content.ReadAsStringAsync()}");
                    }

                    Interlocked.Increment(ref answered);
                }
                catch (Exception e) when (e is RpcException or HttpRequestException)
                {
                    failures.Enqueue(e.Message);
                }
            }
        }).ToArray();
        await Eventually.Async(() => !second.Requests.IsEmpty && answered > 200, TimeSpan.FromSeconds(30));

        await second.StopAsync();
        var before = Volatile.Read(ref answered);
        await Eventually.Async(() => Volatile.Read(ref answered) > before + 500, TimeSpan.FromSeconds(30));
        second.Requests.Clear();
        await second.StartAsync();
        await Eventually.Async(() => !second.Requests.IsEmpty, TimeSpan.FromSeconds(30));
        await stop.CancelAsync();
        await Task.WhenAll(traffic);
        Assert.Empty(failures);
    }

    [ServerFact]
    public async Task A_call_that_a_replica_took_and_did_not_answer_is_sent_again_only_if_it_changes_nothing()
    {
        using var broken = new BrokenServer();
        await using var gateway = await StartAsync(broken.Port, broken.Port, "registry");
        // A change that was sent may have taken effect: it fails as often as it meets the broken replica.
        var registry = new RegistryService.RegistryServiceClient(gateway.Channel);
        var changes = await OutcomesAsync(async () => await registry.SetAliasAsync(new SetAliasRequest { Model = "m" }, deadline: Samples.Soon));
        Assert.Contains(StatusCode.Unavailable, changes);

        // The peer serves none of the registry's calls, so UNIMPLEMENTED is its answer.
        await using var fresh = await StartAsync(broken.Port, broken.Port, "registry");
        var again = new RegistryService.RegistryServiceClient(fresh.Channel);
        var reads = await OutcomesAsync(async () => await again.GetRunAsync(new GetRunRequest(), deadline: Samples.Soon));
        Assert.All(reads, r => Assert.Equal(StatusCode.Unimplemented, r));
    }

    [ServerFact]
    public async Task A_change_that_was_never_sent_goes_to_another_replica()
    {
        var nobody = FreePorts.Take();
        await using var gateway = await StartAsync(nobody, nobody, "registry");
        var registry = new RegistryService.RegistryServiceClient(gateway.Channel);
        var outcomes = await OutcomesAsync(async () => await registry.SetAliasAsync(new SetAliasRequest { Model = "m" }, deadline: Samples.Soon));
        Assert.All(outcomes, o => Assert.Equal(StatusCode.Unimplemented, o));
    }

    [ServerFact]
    public async Task A_replica_that_only_fails_is_left_alone()
    {
        await using var failing = new InferencePeer { FailsWith = 500 };
        await failing.StartAsync();
        await using var gateway = await StartAsync(failing.HttpPort, failing.GrpcPort);
        var failed = 0;
        for (var i = 0; i < 60; i++)
        {
            using var answer = await gateway.Rest.PostAsync("/v2/models/m/infer", null);
            if (answer.StatusCode == HttpStatusCode.InternalServerError) failed++;
        }

        // Five in a row, and then only now and again, when its pause is over.
        Assert.InRange(failed, 1, 20);
    }

    private Task<GatewayReplica> StartAsync(int http, int grpc, params string[] services) => platform.StartReplicaAsync(
        // Probes would find out before the requests do.
        ["--Gateway:ProbeInterval=00:10:00", .. (services.Length > 0 ? services : ["inference"]).SelectMany(s => new[] { $"--services:{s}:http:1=http://127.0.0.1:{http}", $"--services:{s}:grpc:1=http://127.0.0.1:{grpc}" })]);

    private static async Task<List<StatusCode>> OutcomesAsync(Func<Task> call)
    {
        var outcomes = new List<StatusCode>();
        for (var i = 0; i < 24; i++)
        {
            outcomes.Add((await Assert.ThrowsAsync<RpcException>(call)).StatusCode);
        }

        return outcomes;
    }

    /// <summary>Takes connections and hangs up on whatever is sent.</summary>
    private sealed class BrokenServer : IDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);

        public BrokenServer()
        {
            _listener.Start();
            _ = TakeAsync();
        }

        public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

        public void Dispose() => _listener.Dispose();

        private async Task TakeAsync()
        {
            try
            {
                while (true)
                {
                    using var connection = await _listener.AcceptSocketAsync();
                    var buffer = new byte[1024];
                    await connection.ReceiveAsync(buffer);
                    connection.LingerState = new LingerOption(true, 0);
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // Disposed of.
            }
        }
    }
}
